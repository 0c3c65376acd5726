from benchmark_utils.learning import check_losses, self_supervised_loss, split
from benchmark_utils.priors import ArtifactRemoval, untrained_denoiser
from benchmark_utils.solving import LearnedSolver


class Solver(LearnedSolver):
    """The network of ``U-Net``, trained with the measurements of the training images.

    loss : "mc", measurement consistency; "sure", the same without the bias of the noise
        (Metzler et al., 2018); "splitting", part of y predicts the rest (Yaman et al.,
        2020); "ei", equivariant imaging (Chen, Tachella and Davies, 2021), with the
        turns and reflections of the image; "moi", several operators (Tachella, Chen and
        Davies, 2022); "moei", both. Names may be joined: "sure+ei".

    At test time, ``splitting`` gives the mean over N_SPLITS of what it was trained for.
    """

    name = "Self-supervised"
    parameters = {
        "loss": ["ei"],
        **LearnedSolver.training(n_steps=300, lr=1e-3),
    }
    always_shown = ("loss",)
    needs_truth = False
    N_SPLITS = 5

    @property
    def losses(self):
        # self.loss is the method.
        return self._parameters["loss"]

    def check(self):
        check_losses(self.losses, self.test)

    def build(self):
        channels = self.test[0].signal_shape[0]
        return ArtifactRemoval(untrained_denoiser(channels))

    def loss(self, network, batch):
        return self_supervised_loss(self.losses, network, batch, self.other_physics)

    def iterate(self, y, physics):
        if self.losses != "splitting":
            yield self.network(y, physics)
            return
        x = 0
        for k in range(1, self.N_SPLITS + 1):
            given, _ = split(y, physics, self.generator)
            x = x + self.network(*given)
            yield x / k
