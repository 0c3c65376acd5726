"""The training loop: of the solvers that learn, and of training/train.py."""

import math
import time
from dataclasses import dataclass, field

import torch

from benchmark_utils.common.device import computing_in

# The loss is looked at, and the weights copied, every so many steps: on a GPU, each
# look waits for all that was asked for.
STEPS_BETWEEN_LOOKS = 10


@dataclass
class Progress:
    """How far a training is, and how it went.

    Attributes
    ----------
    step : int
    seconds : float, those of all the sittings together.
    losses, held_out : list of [step, value]
        The mean loss since the point before, and what ``evaluate`` gave.
    best : dict or None
        ``value``, ``step`` and ``weights`` of the lowest value that was held out.
    stopped : str or None
        Why it ended before its last step, in a sentence.
    """

    step: int = 0
    seconds: float = 0.0
    losses: list = field(default_factory=list)
    held_out: list = field(default_factory=list)
    best: dict | None = None
    stopped: str | None = None


class Adam:
    """AdamW on groups of parameters, whose rates are multiplied by a schedule."""

    def __init__(self, groups):
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.state_dict = self.optimizer.state_dict
        self.load_state_dict = self.optimizer.load_state_dict

    def step(self, scale):
        for group, rate in zip(self.optimizer.param_groups, self.rates):
            group["lr"] = rate * scale
        self.optimizer.step()


def cosine(steps):
    """A schedule: up to 1 in twenty steps (a tenth of short ones), then down to 0."""

    def scale(step):
        warm_up = (step + 1) / min(20, 0.1 * steps)
        return min(warm_up, 0.5 * (1 + math.cos(math.pi * step / steps)))

    return scale


def in_bfloat16(network, *inputs):
    """What a network gives in mixed precision (bfloat16), as floats of 32 bits."""
    with computing_in(torch.bfloat16, inputs[0].device):
        return network(*inputs).float()


def fit(
    network,
    optimizer,
    schedule,
    loss,
    steps,
    generator,
    evaluate,
    report,
    *,
    every=None,
    seconds_between=240,
    keep_best=False,
    clip=None,
    checkpoint=None,
    recipe="",
    seed=0,
):
    """Train ``network`` from its last checkpoint to its end.

    Two runs give the same weights, whether one of them was stopped and resumed or not:
    batches are drawn from ``generator``, whose state is kept; torch's global generator,
    which deepinv's losses draw from, is seeded at each step, and left as it was.

    Parameters
    ----------
    network : torch.nn.Module
    optimizer : object with ``step(scale)``, ``state_dict`` and ``load_state_dict``
    schedule : callable (step) -> float, the ``scale``.
    loss : callable (step) -> tensor (), of a batch that it draws.
    generator : torch.Generator, on the device of the network.
    evaluate : callable () -> float or None, on what is held out.
    report : callable (Progress), after each evaluation.
    every : int or None
        Steps between evaluations; None for ``seconds_between`` seconds.
    seconds_between : float
        At least so many seconds between checkpoints.
    keep_best : bool
        End with the weights of the lowest ``evaluate()``, those of the start included,
        and not with the last ones.
    clip : float or None
        Largest norm of the gradient.
    checkpoint : Path or None
        What is resumed if it is there.
    recipe : str
        What the checkpoint must have been made for.
    seed : int
        Of torch's global generator.

    Returns
    -------
    Progress. Where a loss is NaN or infinite, ``stopped`` says at which step, and the
    weights are the best ones or the last good ones.

    Raises
    ------
    ValueError
        The checkpoint is of another recipe, or of another kind of device.
    """
    device = generator.device
    progress = Progress()
    if checkpoint is not None and checkpoint.exists():
        progress = _resumed(checkpoint, recipe, network, optimizer, generator)
    start, saved = time.time() - progress.seconds, time.time()
    good, values, since_look = _Good(network, progress.step), [], []

    def take_stock():
        """Evaluate, and write the checkpoint if it is time to."""
        nonlocal saved, values
        torch.manual_seed(seed)
        network.eval()
        with torch.no_grad():
            value = evaluate()
        network.train()
        step = progress.step
        progress.seconds = time.time() - start
        if values:
            progress.losses.append([step, float(torch.stack(values).mean())])
            values = []
        if value is not None:
            progress.held_out.append([step, float(value)])
            if keep_best and not (progress.best and progress.best["value"] <= value):
                weights = _copy(network.state_dict())
                progress.best = {"value": float(value), "step": step}
                progress.best["weights"] = weights
        over = time.time() - saved > seconds_between or step == steps
        if checkpoint is not None and over:
            saved = time.time()
            _write(checkpoint, recipe, progress, network, optimizer, generator)
        report(progress)

    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        if keep_best and progress.step == 0:
            take_stock()
        while progress.step < steps:
            torch.manual_seed(seed + 1 + progress.step)
            value = loss(progress.step)
            network.zero_grad()
            value.backward()
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
            optimizer.step(schedule(progress.step))
            progress.step += 1
            since_look.append(value.detach())
            if every is None:
                due = time.time() - saved > seconds_between
            else:
                due = progress.step % every == 0
            due = due or progress.step == steps
            if due or len(since_look) == STEPS_BETWEEN_LOOKS:
                wrong = good.look(torch.stack(since_look), progress.step)
                if wrong is not None:
                    progress.stopped = (
                        f"NaN or infinite loss or weights at step {wrong} of {steps}: "
                        f"the training stopped. Take a smaller learning rate."
                    )
                    progress.step = good.step
                    break
                values, since_look = values + since_look, []
            if due:
                take_stock()
    progress.seconds = time.time() - start
    if keep_best and progress.best is not None:
        network.load_state_dict(progress.best["weights"])
    return progress


class _Good:
    """The last weights that were looked at and found finite."""

    def __init__(self, network, step):
        self.network = network
        self.keep(step)

    def keep(self, step):
        self.step, self.weights = step, _copy(self.network.state_dict())

    def look(self, losses, step):
        """None if all is finite; else go back, and give the step that was not."""
        wrong = (~losses.isfinite()).nonzero()
        finite = [w.isfinite().all() for w in self.network.parameters()]
        if not len(wrong) and bool(torch.stack(finite).all()):
            self.keep(step)
            return None
        self.network.load_state_dict(self.weights)
        return step - len(losses) + 1 + int(wrong[0]) if len(wrong) else step


def _copy(weights):
    return {name: weight.clone() for name, weight in weights.items()}


def _write(path, recipe, progress, network, optimizer, generator):
    state = {
        "recipe": recipe,
        "device": generator.device.type,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "generator": generator.get_state(),
        **{name: getattr(progress, name) for name in Progress.__dataclass_fields__},
    }
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


def _resumed(path, recipe, network, optimizer, generator):
    state = torch.load(path, weights_only=True, map_location="cpu")
    here = recipe, generator.device.type
    if (state["recipe"], state.get("device", "cpu")) != here:
        raise ValueError(
            f"{path} is of another recipe or kind of device than the present one: move "
            f"{path.parent} away to start anew."
        )
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    generator.set_state(state["generator"])
    known = Progress.__dataclass_fields__.keys() & state.keys()
    return Progress(**{name: state[name] for name in known})
