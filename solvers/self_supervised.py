from benchmark_utils.learning import check_losses, predictions, self_supervised_loss
from benchmark_utils.priors import ArtifactRemoval, untrained_denoiser
from benchmark_utils.solving import LearnedSolver


class Solver(LearnedSolver):
    """The network of ``U-Net``, trained with the measurements of the training images.

    loss : "mc", measurement consistency; "sure", the same without the bias of the noise
        (Metzler et al., 2018); "splitting", part of y predicts the rest (Yaman et al.,
        2020); "noise2inverse", some angles of a sinogram predict the others (Hendriksen
        et al., 2020); "equivariant_splitting", the same as splitting for a network that
        turns with the image (Sechaud et al., 2026); "ei", equivariant imaging (Chen,
        Tachella and Davies, 2021), with the turns and reflections of the image; "moi",
        several operators (Tachella, Chen and Davies, 2022); "moei", both. Names of
        losses that do not split may be joined: "sure+ei".

    At test time, losses that split give the mean over several splits.
    """

    name = "Self-supervised"
    parameters = {
        "loss": ["ei"],
        **LearnedSolver.training(n_steps=300, lr=1e-3),
    }
    always_shown = ("loss",)
    needs_truth = False

    @property
    def losses(self):
        # self.loss is the method.
        return self._parameters["loss"]

    def check(self):
        check_losses(self.losses, self.test)

    def build(self):
        return ArtifactRemoval(untrained_denoiser(self.n_channels))

    def loss(self, network, batch):
        return self_supervised_loss(self.losses, network, batch, self.other_physics)

    def iterate(self, y, physics):
        total = 0
        found = predictions(self.losses, self.network, y, physics, self.generator)
        for k, x in enumerate(found, 1):
            total = total + x
            yield total / k
