"""The scores of a run, from its reconstructions, its truths and its data terms."""

import json
from collections import Counter
from dataclasses import dataclass

import torch

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.common.fingerprint import installed
from benchmark_utils.data.domain import KINDS, Domain
from benchmark_utils.dictionaries.vectors import (
    kernel_norm,
    learning_cost,
    operator_of,
    oracle_score,
    recovery_score,
)
from benchmark_utils.physics.data_term import data_term, unweighted_data_term
from benchmark_utils.physics.least_squares import DataTerm
from benchmark_utils.priors.restoration import check_restoration, load_restoration
from benchmark_utils.priors.used_weights import compact_state
from benchmark_utils.scoring import metrics

# PSNR (dB) below which a solver diverged: errors ten times the range of the images.
DIVERGED = -20.0

# What torchmetrics scores with: no code of this repository imports it.
LIBRARIES = ("torchvision",)

# The cost that dictionaries are compared by: its weight, signals and iterations.
LAM, N_SIGNALS, N_ITER = 0.1, 200, 200


@dataclass(frozen=True)
class Comparison:
    """What a solver answered for one batch, and what is true.

    Attributes
    ----------
    f : DataTerm of the measurements, and of the operator that made them.
    operator : the same without the weights of the noise.
    x_hat, x : tensors of one shape, (B, C, H, W) or (B, n).
    domain : Domain of x.
    """

    f: DataTerm
    operator: DataTerm
    x_hat: torch.Tensor
    x: torch.Tensor
    domain: Domain

    def __post_init__(self):
        if self.x_hat.shape != self.x.shape:
            raise ValueError(
                f"x_hat has a batch of shape {tuple(self.x_hat.shape)} where the "
                f"images have shape {tuple(self.x.shape)}: a solver yields one "
                "reconstruction per image, of its size."
            )

    @property
    def pair(self):
        """x_hat and x as the metrics compare them: magnitudes, in [0, 1]."""
        return self.domain.scored(self.x_hat), self.domain.scored(self.x)

    def psnr(self):
        """One value per image; one for all the vectors of a batch, some being zero."""
        if self.domain.is_image:
            return metrics.psnr(*self.pair)
        return metrics.psnr(self.x_hat[None], self.x[None])


class References:
    """The test batches and their data terms, moved once to where results are."""

    def __init__(self, batches):
        self.batches, self._on = batches, {}

    def compared_to(self, x_hat):
        """A Comparison for each tensor of ``x_hat``, on its device."""
        devices = [ours.device for ours in x_hat] or [torch.device("cpu")]
        references = self._references_on(devices[0])
        return [
            Comparison(f, operator, ours, batch.x, batch.domain)
            for ours, (f, operator, batch) in zip(x_hat, references, strict=True)
        ]

    def _references_on(self, device):
        if device not in self._on:
            on_cpu = device.type == "cpu"
            batches = [b if on_cpu else b.to(device) for b in self.batches]
            self._on[device] = [
                (
                    data_term(batch.true_physics, batch.y),
                    unweighted_data_term(batch.true_physics, batch.y),
                    batch,
                )
                for batch in batches
            ]
        return self._on[device]


def scores_of_iterate(comparisons):
    """PSNR and data fit, cheap enough for each iterate: {score: tensor or bool}.

    ``diverged`` is True where an image has NaN or infinite values, or a PSNR below
    DIVERGED; the PSNR is NaN then.
    """
    psnr = _psnr(comparisons)
    fit = torch.cat([metrics.data_fit_error(c.f, c.x_hat) for c in comparisons])
    return {
        "psnr": psnr.mean(),
        "psnr_std": psnr.std(correction=0),
        "psnr_min": psnr.min(),
        "data_fit": fit.mean(),
        "diverged": bool(psnr.isnan().any()),
    }


def _psnr(comparisons):
    psnr = torch.cat([c.psnr() for c in comparisons])
    return psnr.where(psnr > DIVERGED, torch.nan)


def names_of_images(batches):
    """What each test image is called; a number is added to those that share a name."""
    names, count = [], Counter()
    for name in (n for b in batches for n in b.names or [""] * len(b.y)):
        name = name or "image"
        count[name] += 1
        names.append(name if count[name] == 1 else f"{name} ({count[name]})")
    return names


def scores_of_images(comparisons):
    """Each score of each image, in the order of the batches: {score: tensor (N,)}.

    psnr, and for a result that did not diverge ssim, lpips, and psnr_range and
    psnr_kernel: the error outside and inside of ker A. NaN where an image has no such
    score: the window of SSIM does not fit, LPIPS is for colours, nothing is lost.
    Vectors have none.
    """
    if not comparisons[0].domain.is_image:
        return {}
    psnr = _psnr(comparisons)
    if psnr.isnan().any():
        return {"psnr": psnr}
    pairs = [c.pair for c in comparisons]
    parts = [
        metrics.range_and_kernel_psnr(c.operator, c.x_hat, c.x, x[0].numel())
        for c, (_, x) in zip(comparisons, pairs)
    ]
    psnr_range, psnr_kernel = (torch.cat(part) for part in zip(*parts))
    return {
        "psnr": psnr,
        "ssim": _where(metrics.ssim_applies, metrics.ssim, pairs),
        "lpips": _where(metrics.lpips_applies, metrics.lpips, pairs),
        "psnr_range": psnr_range,
        "psnr_kernel": psnr_kernel.where(psnr_kernel.isfinite(), torch.nan),
        **medical_scores(comparisons),
    }


def _where(applies, metric, pairs):
    """A metric of the pairs that it applies to, NaN for the others: tensor (N,)."""
    return torch.cat(
        [
            metric(x_hat, x) if applies(x) else x.new_full((len(x),), torch.nan)
            for x_hat, x in pairs
        ]
    )


def scores_of_result(of_images):
    """The means of what ``scores_of_images`` gives, over the images that have one.

    Scores that no image has are left out.
    """
    found = {name: values[~values.isnan()] for name, values in of_images.items()}
    return {name: values.mean() for name, values in found.items() if len(values)}


def per_image_text(names, of_images):
    """The scores of each image as a JSON text, NaN and infinite ones too.

    None where there are none: for vectors.
    """
    columns = {score: values.tolist() for score, values in of_images.items()}
    return json.dumps({"name": names, **columns}) if columns else None


def medical_scores(comparisons):
    """NMSE and HaarPSI of each medical image (of magnitudes): {score: tensor (N,)}."""
    if not comparisons[0].domain.is_medical:
        return {}
    pairs = [c.pair for c in comparisons]
    return {
        name: torch.cat([metric(*pair) for pair in pairs])
        for name, metric in (("nmse", metrics.nmse), ("haarpsi", metrics.haarpsi))
    }


def scores_of_dictionary(found, truth, batches):
    """How much of the true dictionary was found, and what its cost is.

    recovery, where the true dictionary is known, is 1 at best; recovery_oracle is
    sqrt(rank / n), what can be expected of a dictionary that lies in what the operators
    see; kernel_norm is the mean norm of the atoms in the kernel of all the operators
    together; cost is that of dictionary learning at lam = LAM, on the first N_SIGNALS
    signals of each operator.

    Parameters
    ----------
    found : tensor (n, K)
    truth : tensor (n, K) or None
    batches : list of Batch
    """
    data = [(operator_of(batch.true_physics, batch.y), batch.y) for batch in batches]
    operators = [A for A, _ in data]
    first = [
        (A if A is None or A.dtype != torch.bool else A[:N_SIGNALS], y[:N_SIGNALS])
        for A, y in data
    ]
    recovery = {} if truth is None else {"recovery": recovery_score(truth, found)}
    return recovery | {
        "recovery_oracle": oracle_score(operators),
        "kernel_norm": kernel_norm(found, operators),
        "cost": learning_cost(first, found, LAM, N_ITER),
    }


def anomaly_tasks(anomaly):
    """The priors that ``anomaly`` names, as "denoiser+sr2": a list of tasks."""
    if not isinstance(anomaly, str):
        raise NotApplicable('it is names joined by "+", as in denoiser+sr2.')
    if ":" in anomaly:
        raise NotApplicable("It takes priors of this repository, without a family.")
    return [task for task in anomaly.split("+") if task]


def weights_state(anomaly):
    """What tells the weights of the priors that ``anomaly`` names."""
    return compact_state(anomaly_tasks(anomaly)) if isinstance(anomaly, str) else None


def machine_state():
    """What a machine has or lacks, and scores depend on."""
    versions = [installed(library) for library in LIBRARIES]
    return versions, torch.cuda.is_available()


def check_anomaly(anomaly, batches):
    """Raise ``NotApplicable`` or ``Unavailable`` unless it can be scored."""
    tasks = anomaly_tasks(anomaly)
    kinds = {batch.domain.kind for batch in batches}
    if tasks and (others := kinds - {"image"}):
        raise NotApplicable(
            f"it is for real images, and these signals are {KINDS[others.pop()]}."
        )
    for task in tasks:
        check_restoration(task, shapes={tuple(b.x.shape[1:]) for b in batches})


def anomaly_scores(anomaly, comparisons):
    """Distance (dB) of the results and of the truths to restoration priors."""
    scores = {}
    for task in anomaly_tasks(anomaly):
        prior = load_restoration(task, device=comparisons[0].x.device)
        for suffix, side in (("", "x_hat"), ("_truth", "x")):
            distances = [metrics.anomaly(prior, getattr(c, side)) for c in comparisons]
            scores[f"anomaly_{task}{suffix}"] = torch.cat(distances).mean()
    return scores
