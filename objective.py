"""What every solver is asked, and how its answer is scored.

The data contract
-----------------
A dataset returns, and ``Objective.set_data`` receives:

=========== ================= ======================================= ==================
field       type              content                                 who sees it
=========== ================= ======================================= ==================
train       sequence of Batch signals x with their measurements y     solvers: x and y
test        list of Batch     signals x with their measurements y     objective: x and y
                                                                      solvers: y only
dataset     str               name of the dataset                     all
problem     str               name of the problem                     all
dictionary  tensor (n, K)     atoms that the signals are made of,     objective; oracle
            or None           where they are known                    (number: all)
patch_shape (C, h, w) or None where signals are vectors: the patches  all
                              of images that they are
unavailable str or None       why there is no data, in a sentence     shown, and skipped
=========== ================= ======================================= ==================

A Batch (benchmark_utils/data/batches.py) holds signals of one shape seen through one
operator: x is a tensor (B, C, H, W) of images in [0, 1], or (B, n) of vectors, and
y = physics(x) was drawn once: every solver sees the same measurements. Solvers return
``x_hat``, one tensor per test batch, of the shape of x.
"""

import torch
from benchopt import BaseObjective
from benchopt.parallel_backends import is_distributed_frontal

from benchmark_utils.common import ShortName, Unavailable
from benchmark_utils.common.fingerprint import fingerprint
from benchmark_utils.dictionaries import (
    kernel_norm,
    learning_cost,
    operator_of,
    oracle_score,
    recovery_score,
)
from benchmark_utils.physics import data_term
from benchmark_utils.priors import load_restoration
from benchmark_utils.scoring import atom_sheet, metrics, png

# Pictures kept for the dashboard, from the first test images.
N_PICTURES = 2

# PSNR (dB) below which a solver diverged: errors ten times the range of the images.
DIVERGED = -20.0

# The cost that dictionaries are compared by: its weight, signals and iterations.
LAM, N_SIGNALS, N_ITER = 0.1, 200, 200


class Objective(ShortName, BaseObjective):
    """Recover x from y = A x + eps; scored on the test images, none of them seen."""

    name = "Inverse problems"
    url = "https://github.com/benchopt/benchmark_inverse_problems"
    min_benchopt_version = "1.10"
    requirements = [
        "pip::torch",
        "pip::torchvision",
        "pip::deepinv",
        "pip::safetensors",
        "pip::filelock",
        "pip::huggingface_hub",
        "pip::pooch",
        "pip::PyWavelets",
        "pip::scikit-image",
        "pip::scikit-learn",
        "pip::scipy",
        "pip::tifffile",
    ]

    # ``device``: where the solvers run: auto, cpu, cuda, cuda:1. On the command line,
    # a colon needs quotes: -o "Inverse problems[device='cuda:1']".
    # ``version`` is not to be set: it makes benchopt's cache see changes that it would
    # otherwise miss.
    # ``anomaly``: restoration priors, joined by "+" ("denoiser+sr2"), whose distance to
    # the results and to the truth is scored; none by default, for it takes time.
    parameters = {"device": ["auto"], "anomaly": [""], "version": [fingerprint()]}
    sampling_strategy = "callback"
    test_dataset_name = "simulated"
    never_shown = ("version",)

    def skip(self, unavailable=None, test=(), **data):
        if unavailable is not None:
            return True, unavailable
        try:
            self._check_device()
        except ValueError as error:
            return True, str(error)
        try:
            self._anomaly_priors(test)
        except (Unavailable, ValueError) as error:
            return True, f"anomaly={self.anomaly!r}: {error}"
        return False, None

    def _check_device(self):
        """Raise ``ValueError`` unless the solvers can run on ``device``.

        On the login node of a cluster, what it has says nothing of the jobs, which
        check for themselves; ``auto`` would be cached as the login node's.
        """
        if is_distributed_frontal():
            if self.device != "auto":
                return
            raise ValueError(
                "device=auto cannot be told from the login node of a cluster: add "
                '-o "Inverse problems[device=cuda]", or device=cpu.'
            )
        if self.device == "auto":
            return
        try:
            device = torch.device(str(self.device))
        except RuntimeError:
            device = None
        if device is None or device.type not in ("cpu", "cuda"):
            raise ValueError(
                f"device must be auto, cpu, cuda or, with its quotes, 'cuda:1', not "
                f"{self.device!r}."
            )
        if device.type == "cpu":
            return
        if not torch.cuda.is_available():
            raise ValueError(
                f"device={self.device} was asked for, but torch sees no CUDA device: "
                "install the CUDA build of torch, or leave the device on auto."
            )
        n_devices = torch.cuda.device_count()
        if device.index is not None and device.index >= n_devices:
            raise ValueError(
                f"device={self.device} was asked for, but the last CUDA device that "
                f"torch sees is cuda:{n_devices - 1}."
            )

    def set_data(
        self,
        train,
        test,
        dataset,
        problem,
        dictionary=None,
        patch_shape=None,
        unavailable=None,
    ):
        self.patch_shape = patch_shape
        self.train, self.test, self.dictionary = train, test, dictionary
        self.dataset, self.problem = dataset, problem
        self.data_terms = [data_term(batch.physics, batch.y) for batch in test]

    def get_objective(self):
        device = self.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        return {
            "train": self.train,
            "test": [batch.without_truth() for batch in self.test],
            "dataset": self.dataset,
            "problem": self.problem,
            "dictionary": self.dictionary,
            "patch_shape": self.patch_shape,
            "device": device,
        }

    def get_one_result(self):
        return {"x_hat": [torch.zeros_like(b.x) for b in self.test], "is_last": True}

    @torch.inference_mode()
    def evaluate_result(
        self,
        x_hat,
        is_last,
        fit_time=0.0,
        n_network_calls=0.0,
        snapshots=None,
        atoms=None,
        dictionary=None,
    ):
        """Scores of the reconstructions, averaged over the test images.

        PSNR and data fit are computed for each iterate; the costly metrics (SSIM,
        LPIPS, the error inside and outside of ker A) for the last one only.

        Parameters
        ----------
        x_hat : list of tensors (B, C, H, W)
            One per test batch.
        is_last : bool
            Whether this is the solver's last iterate.
        fit_time : float
            Seconds spent in learning, apart from the time of the curve.
        n_network_calls : float
            Network evaluations per test image.
        snapshots : dict or None
            Iterates to show in the dashboard; not scored.
        atoms : tensor (K, C, h, w) or None
            Learned atoms to show in the dashboard; not scored.
        dictionary : tensor (n, K) or None
            What a dictionary solver has learned.

        Returns
        -------
        dict of float, with anomaly_* for the priors asked for. ``diverged`` is 1 where
        an image has NaN or infinite values, or a PSNR below DIVERGED; the PSNR is NaN
        then, and the costly metrics are left out.
        """
        triples = list(
            zip(self.data_terms, x_hat, (b.x for b in self.test), strict=True)
        )
        for _, ours, truth in triples:
            if ours.shape != truth.shape:
                raise ValueError(
                    f"x_hat has a batch of shape {tuple(ours.shape)} where the images "
                    f"have shape {tuple(truth.shape)}: a solver yields one "
                    "reconstruction per image, of its size."
                )
        psnr = torch.cat([self._psnr(ours, x) for _, ours, x in triples])
        fit_error = [metrics.data_fit_error(f, ours) for f, ours, _ in triples]
        psnr = psnr.where(psnr > DIVERGED, torch.nan)
        diverged = bool(psnr.isnan().any())
        scores = {
            "psnr": psnr.mean(),
            "psnr_std": psnr.std(correction=0),
            "psnr_min": psnr.min(),
            "data_fit": torch.cat(fit_error).mean(),
            "diverged": diverged,
            "fit_time": fit_time,
            "n_network_calls": n_network_calls,
        }
        if dictionary is not None:
            scores |= self._dictionary_scores(dictionary)
        if is_last and not diverged:
            scores |= self._costly_scores(triples) | self._anomaly_scores(triples)
        return {name: float(value) for name, value in scores.items()}

    @staticmethod
    def _psnr(ours, x):
        """One value per image; one for all the vectors of a batch, some being zero."""
        if x.ndim != 4:
            ours, x = ours[None], x[None]
        return metrics.psnr(ours, x)

    def _dictionary_scores(self, dictionary):
        """How much of the true dictionary was found, and what its cost is.

        recovery, where the true dictionary is known, is 1 at best; recovery_oracle is
        sqrt(rank / n), what can be expected of a dictionary that lies in what the
        operators see; kernel_norm is the mean norm of the atoms in the kernel of all
        the operators together; cost is that of dictionary learning at lam = LAM, on
        the first N_SIGNALS signals of each operator.
        """
        data = [(operator_of(batch.physics, batch.y), batch.y) for batch in self.test]
        operators = [A for A, _ in data]
        first = [
            (A if A is None or A.dtype != torch.bool else A[:N_SIGNALS], y[:N_SIGNALS])
            for A, y in data
        ]
        found = {}
        if self.dictionary is not None:
            found["recovery"] = recovery_score(self.dictionary, dictionary)
        return found | {
            "recovery_oracle": oracle_score(operators),
            "kernel_norm": kernel_norm(dictionary, operators),
            "cost": learning_cost(first, dictionary, LAM, N_ITER),
        }

    def _anomaly_scores(self, triples):
        """Distance (dB) of the results and of the truth to restoration priors."""
        scores = {}
        for task, prior in self._anomaly_priors(self.test).items():
            for suffix, index in (("", 1), ("_truth", 2)):
                distances = [
                    metrics.anomaly(prior, triple[index]) for triple in triples
                ]
                scores[f"anomaly_{task}{suffix}"] = torch.cat(distances).mean()
        return scores

    def _anomaly_priors(self, test):
        """{task: prior} of ``anomaly``, for the images of the batches ``test``.

        Raises
        ------
        ValueError
            ``anomaly`` is not the names of priors, or they do not take these signals.
        Unavailable
            Their weights are not here.
        """
        if not isinstance(self.anomaly, str):
            raise ValueError('it is names joined by "+", as in denoiser+sr2.')
        tasks = [task for task in self.anomaly.split("+") if task]
        shapes = {tuple(batch.x.shape[1:]) for batch in test}
        if tasks and any(len(shape) != 3 for shape in shapes):
            raise ValueError("it is for images, and these signals are vectors.")
        return {task: load_restoration(task, shapes=shapes) for task in tasks}

    @staticmethod
    def _costly_scores(triples):
        if triples[0][2].ndim != 4:
            return {}
        split = [metrics.range_and_kernel_psnr(*triple) for triple in triples]
        psnr_range, psnr_kernel = (torch.cat(part).mean() for part in zip(*split))
        ssim = torch.cat([metrics.ssim(ours, x) for _, ours, x in triples])
        scores = {"ssim": ssim.mean(), "psnr_range": psnr_range}
        if psnr_kernel.isfinite():
            scores["psnr_kernel"] = psnr_kernel
        takes_lpips = all(metrics.lpips_applies(x) for _, _, x in triples)
        if takes_lpips and metrics.lpips_available():
            lpips = [metrics.lpips(ours, x) for _, ours, x in triples]
            scores["lpips"] = torch.cat(lpips).mean()
        return scores

    def save_final_results(self, x_hat, snapshots=None, atoms=None, **result):
        """PNG files (bytes) of the first test images, for the dashboard.

        Returns
        -------
        dict: names (list of str), truth, measurement, reconstruction (lists of PNG),
        snapshots, {iteration: list of PNG}, empty where the solver kept none, and
        atoms (PNG), all of them on a sheet, where the solver has some. Signals that
        are not images have their atoms alone, and None in place of an empty dict.
        """
        sheet = {} if atoms is None else {"atoms": png(atom_sheet(atoms))}
        if self.test[0].x.ndim != 4:
            return sheet or None

        def first_pictures(batches):
            images = [image for batch in batches for image in batch]
            return [png(image) for image in images[:N_PICTURES]]

        names = [name for batch in self.test for name in batch.names]
        return {
            "names": names[:N_PICTURES],
            "truth": first_pictures(batch.x for batch in self.test),
            "measurement": first_pictures(batch.y for batch in self.test),
            "reconstruction": first_pictures(x_hat),
            "snapshots": {
                k: first_pictures(iterate) for k, iterate in (snapshots or {}).items()
            },
            **sheet,
        }
