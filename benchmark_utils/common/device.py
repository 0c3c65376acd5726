"""Where the solvers run: auto, cpu, cuda or one of several GPUs."""

import sys
from contextlib import nullcontext

import torch
from benchopt.parallel_backends import is_distributed_frontal

from benchmark_utils.common.errors import NotApplicable


def computing_in(precision, device):
    """A context where networks compute in ``precision``, if it is not float32."""
    if precision == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, precision)


def resolved(device):
    """The torch device of ``device``, where auto is a GPU if torch sees one.

    float32 is float32 there, as on the CPU: with TF32, which torch allows in
    convolutions, products would have ten bits, and scores depend on the GPU.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(str(device))


def check_device(device):
    """Raise ``NotApplicable`` unless the solvers can run on ``device``.

    On the login node of a cluster, what it has says nothing of the jobs, which check
    for themselves; ``auto`` would be cached as the login node's.
    """
    if _runs_elsewhere():
        if device != "auto":
            return
        raise NotApplicable(
            "device=auto cannot be told from the login node of a cluster: add "
            '-o "Inverse problems[device=cuda]", or device=cpu.'
        )
    try:
        wanted = resolved(device)
    except RuntimeError:
        wanted = None
    if wanted is None or wanted.type not in ("cpu", "cuda"):
        raise NotApplicable(
            f"device must be auto, cpu, cuda or, with its quotes, 'cuda:1', not "
            f"{device!r}."
        )
    if wanted.type == "cpu":
        return
    if not torch.cuda.is_available():
        raise NotApplicable(
            f"device={device} was asked for, but torch sees no CUDA device: "
            "install the CUDA build of torch, or leave the device on auto."
        )
    n_devices = torch.cuda.device_count()
    if wanted.index is not None and wanted.index >= n_devices:
        raise NotApplicable(
            f"device={device} was asked for, but the last CUDA device that "
            f"torch sees is cuda:{n_devices - 1}."
        )


def _runs_elsewhere():
    """Whether solvers may run on other machines than this one.

    dask's workers are this machine's unless they were started by somebody else.
    """
    if not is_distributed_frontal():
        return False
    dask = sys.modules.get("distributed")
    try:
        cluster = dask and dask.default_client().cluster
    except ValueError:  # There is no client.
        return True
    return not (cluster and isinstance(cluster, dask.LocalCluster))
