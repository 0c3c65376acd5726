"""What a solver asks of the networks: are they here, load them, which ones count."""

from types import SimpleNamespace

import torch
from deepinv.models import PDNet_DualBlock, PDNet_PrimalBlock

from benchmark_utils.common.fingerprint import Fingerprinted
from benchmark_utils.priors.compact import TASKS, compact_names, used_by
from benchmark_utils.priors.denoisers import check_denoiser, load_denoiser
from benchmark_utils.priors.networks import CompactUNet
from benchmark_utils.priors.published_weights import find_published, load_published
from benchmark_utils.priors.restoration import check_restoration, load_restoration
from benchmark_utils.priors.used_weights import (
    checksums_used,
    compact_state,
    networks_named,
    published_state,
)
from benchmark_utils.solving.tuned import solver_key, tuned_state

# What loads a network.
LOADERS = {
    "load_compact",
    "load_denoiser",
    "load_for_channels",
    "load_published",
    "load_restoration",
}


# The networks inside of those that are trained here, which are counted one by one.
PARTS = (CompactUNet, PDNet_DualBlock, PDNet_PrimalBlock)


class UsesNetworks(Fingerprinted):
    """Mixin: checks and loads networks, counts their calls, and tells their weights.

    ``self._networks`` are those that were loaded, each with its ``n_images``; they
    compute in ``precision``.
    """

    precision = torch.float32

    def check_denoiser(self, name):
        """Raise ``NotApplicable`` or ``Unavailable`` where it cannot be loaded."""
        check_denoiser(name, self._image_shapes())

    def check_restoration(self, task, networks="compact", **ranges):
        """Raise ``NotApplicable`` or ``Unavailable`` where it cannot be loaded."""
        check_restoration(task, networks, shapes=self._image_shapes(), **ranges)

    def check_published(self, name):
        """Raise ``Unavailable`` where its weights are not here."""
        find_published(name)

    def load_published(self, name):
        """A published network as it is: who calls it counts its ``n_images``."""
        network = load_published(name, self.device)
        self._networks.append(network)
        return network

    def load_denoiser(self, name):
        """A denoiser of the registry, on the solver's device, its calls counted."""
        denoiser = load_denoiser(
            name, self.device, self._image_shapes(), self.precision
        )
        self._networks.append(denoiser)
        return denoiser

    def load_restoration(self, task, networks="compact", **ranges):
        """A restoration model T = R o D, on the solver's device, its calls counted."""
        model = load_restoration(
            task,
            networks,
            self.device,
            shapes=self._image_shapes(),
            precision=self.precision,
            **ranges,
        )
        self._networks.append(model)
        return model

    def count_calls(self, network):
        """Count the images that ``network`` is given, in the calls of its copies too.

        Where it has parts of ``PARTS``, those that each of them is given.
        """
        calls = SimpleNamespace(n_images=0)

        def count(part, inputs, by_name):
            calls.n_images += len([*inputs, *by_name.values()][0])

        parts = [part for part in network.modules() if isinstance(part, PARTS)]
        for part in parts or [network]:
            part.register_forward_pre_hook(count, with_kwargs=True)
        self._networks.append(calls)

    def _image_shapes(self):
        """(C, H, W) of what the networks see: a complex image is two grey ones."""
        shapes = {batch.signal_shape for batch in self.test}
        if self.domain.kind == "complex":
            return {(1, *shape[1:]) for shape in shapes}
        return shapes

    def repository_state(self):
        """The weights of this repository that are loaded, and the tuned values."""
        names, _ = self._networks_loaded()
        tuned = tuned_state(solver_key(self)) if self.is_tuned() else None
        return compact_state(names), tuned

    def weights(self, channels=None):
        """{file: checksum} of the networks that it loads.

        Of all, or of those that images of these ``channels`` (a set) go through.
        """
        names, published = self._networks_loaded()
        if channels is not None:
            names = used_by(names, channels)
        return checksums_used(names, self._parameters if published else {})

    def machine_state(self):
        _, published = self._networks_loaded()
        return published_state() if published else None

    def _networks_loaded(self):
        """The compact networks that count, and whether the published ones do.

        All of them do for a solver that loads some, and has no parameter to say which.
        """
        named = networks_named(self._parameters)
        if named is not None:
            return named
        loads = not LOADERS.isdisjoint(self.dependencies().calls)
        return (compact_names(*TASKS), True) if loads else ([], False)
