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
dataset     str               name of the dataset, or of the one that all
                              has its training images
problem     str               name of the problem, and its strengths  all
                              that are not the default
defaults    dict, may be left the strengths that this name leaves     all
            out               out, by name: tuned values are borrowed
                              from the nearest strengths
dictionary  tensor (n, K)     atoms that the signals are made of,     objective; oracle
            or None           where they are known                    (number: all)
patch_shape (C, h, w) or None where signals are vectors: the patches  all
                              of images that they are
unavailable str or None       why there is no data, in a sentence     shown, and skipped
=========== ================= ======================================= ==================

A Batch (benchmark_utils/data/batches.py) holds signals of one shape seen through one
operator, whose physics has its noise model: y = physics(x) was drawn once, and every
solver sees the same measurements. Problems of wrong models tell solvers another physics
than that which measured; scores use the latter. ``domain`` says what the signals are:
images (B, C, H, W), complex images (B, 2, H, W), which are scored by their magnitude,
or vectors (B, n). Solvers return ``x_hat``, one tensor per test batch, of the shape of
x.
"""

import json

import torch
from benchopt import BaseObjective

from benchmark_utils.common import (
    Fingerprinted,
    NotApplicable,
    ShortName,
    Unavailable,
    device,
)
from benchmark_utils.common.fingerprint import code_of_run
from benchmark_utils.scoring import pictures, scores
from benchmark_utils.solving.failures import exit_with_failures

exit_with_failures()


class Objective(Fingerprinted, ShortName, BaseObjective):
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
        "pip::torchmetrics",
    ]

    # ``device``: where the solvers run: auto, cpu, cuda, cuda:1. On the command line,
    # a colon needs quotes: -o "Inverse problems[device='cuda:1']".
    # ``anomaly``: restoration priors, joined by "+" ("denoiser+sr2"), whose distance to
    # the results and to the truth is scored; none by default, for it takes time.
    parameters = {"device": ["auto"], "anomaly": [""]}
    sampling_strategy = "callback"
    test_dataset_name = "simulated"

    def repository_state(self):
        return scores.weights_state(self.anomaly)

    def machine_state(self):
        return scores.machine_state()

    def skip(self, unavailable=None, test=(), **data):
        if unavailable is not None:
            return True, unavailable
        try:
            device.check_device(self.device)
        except NotApplicable as error:
            return True, str(error)
        try:
            scores.check_anomaly(self.anomaly, test)
        except (NotApplicable, Unavailable) as error:
            return True, f"anomaly={self.anomaly!r}: {error}"
        return False, None

    def set_data(
        self,
        train,
        test,
        dataset,
        problem,
        defaults=None,
        dictionary=None,
        patch_shape=None,
        unavailable=None,
    ):
        self.seen = {
            "train": train,
            "test": [batch.without_truth() for batch in test],
            "dataset": dataset,
            "problem": problem,
            "defaults": defaults,
            "dictionary": dictionary,
            "patch_shape": patch_shape,
        }
        self.test, self.dictionary = test, dictionary
        self.references = scores.References(test)
        self.per_image = None

    def get_objective(self):
        return {**self.seen, "device": device.resolved(self.device)}

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
        code=None,
        run=None,
        values=None,
        values_from=None,
    ):
        """Scores of the reconstructions, averaged over the test images.

        PSNR and data fit are computed for each iterate; the costly metrics (SSIM,
        LPIPS, the error inside and outside of ker A) for the last one only, and for no
        solver that diverged.

        Parameters
        ----------
        x_hat : list of tensors, the shapes of the signals
            One per test batch.
        is_last : bool
            Whether this is the solver's last iterate.
        fit_time : float
            Seconds spent in learning, apart from the time of the curve.
        n_network_calls : float
            Network evaluations per test image.
        snapshots, atoms, code, run, values, values_from
            For ``save_final_results``; not scored.
        dictionary : tensor (n, K) or None
            What a dictionary solver has learned.

        Returns
        -------
        dict of float
        """
        comparisons = self.references.compared_to(x_hat)
        found = scores.scores_of_iterate(comparisons)
        found |= {"fit_time": fit_time, "n_network_calls": n_network_calls}
        if dictionary is not None:
            found |= scores.scores_of_dictionary(dictionary, self.dictionary, self.test)
        if is_last:
            of_images = scores.scores_of_images(comparisons)
            names = scores.names_of_images(self.test)
            self.per_image = scores.per_image_text(names, of_images)
        if is_last and not found["diverged"]:
            found |= scores.scores_of_result(of_images)
            found |= scores.anomaly_scores(self.anomaly, comparisons)
        return {name: float(value) for name, value in found.items()}

    def save_final_results(
        self,
        x_hat,
        snapshots=None,
        atoms=None,
        code=None,
        run=None,
        values=None,
        values_from=None,
        **result,
    ):
        """Files (bytes) of pictures of the test images and of the atoms, and more.

        ``per_image`` is a JSON text of the scores of each image (that benchopt's last
        call of ``evaluate_result`` gave). ``code`` is the digest of the code of the
        solver; what is kept under this name is that of the objective, the dataset and
        the solver together. ``run`` is kept as a JSON text: the machine
        (benchmark_utils/common/machine.py), the checksums of the weights, the values of
        the hyper-parameters and where they come from.
        """
        kept = pictures.of_result(self.test, x_hat, snapshots, atoms) or {}
        if self.per_image is not None:
            kept["per_image"] = self.per_image
        if code is None:
            return kept or None
        about = dict(run or {})
        if values_from is not None:
            about |= {"values": values, "values_from": values_from}
        return kept | {
            "code": code_of_run(self, self._dataset, code),
            "run": json.dumps(about, default=str),
        }
