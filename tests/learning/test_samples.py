"""What networks are trained on."""

from dataclasses import replace

import deepinv as dinv
import pytest
import torch
from operators import make_physics

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.data.batches import measure
from benchmark_utils.learning.samples import (
    Samples,
    draw_turns,
    images_of,
    turned,
    turned_back,
    turned_by,
)


def masked(n, size=16, seed=0):
    """A batch of n random images, each with a mask of its own."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, 3, size, size, generator=generator)
    physics = make_physics("inpainting", x.shape[1:], generator, n)
    return measure(x, physics, generator, tuple(f"{seed}.{i}" for i in range(n)))


def samples(sizes, size=None):
    batches = [masked(n, seed=seed) for seed, n in enumerate(sizes)]
    return Samples(batches, size, torch.Generator().manual_seed(0))


def test_images_that_are_chosen_keep_their_operator():
    batch = masked(4)
    chosen = images_of(batch, [2, 0])
    torch.testing.assert_close(
        chosen.physics.A(chosen.x), batch.physics.A(batch.x)[[2, 0]]
    )
    assert chosen.names == ("0.2", "0.0")
    assert len(batch.physics.mask) == 4
    blur = make_physics("gaussian_deblurring", (3, 32, 32), torch.Generator())
    x = torch.rand(2, 3, 32, 32)
    seen = measure(x, blur, torch.Generator().manual_seed(0))
    one = images_of(seen, [1])
    torch.testing.assert_close(one.physics.A(one.x), blur.A(x)[1:])


def test_tensors_that_are_not_of_images_are_kept_whole():
    """A gain of each channel and pixel, of as many channels as there are images."""

    class Gain(dinv.physics.LinearPhysics):
        def __init__(self, gain):
            super().__init__()
            self.register_buffer("gain", gain)

        def A(self, x, **kwargs):
            return self.gain * x

        A_adjoint = A

    batch = masked(3)
    gain = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(1))
    batch = replace(batch, physics=Gain(gain))
    for chosen in ([1], [2, 0], [2, 0, 1]):
        assert torch.equal(images_of(batch, chosen).physics.gain, gain)


def test_what_is_held_out_is_never_drawn():
    some = samples([4, 4, 3])
    held_out = {name for batch in some.held_out() for name in batch.names}
    drawn = {name for _ in range(60) for name in some.draw().names}
    assert len(held_out) == 1 and len(drawn) == 10 and not held_out & drawn


def test_a_single_image_is_drawn_and_nothing_is_held_out():
    some = samples([1])
    assert some.held_out() == [] and len(some.draw().y) == 1


def test_a_batch_larger_than_the_set_is_refused_in_a_sentence():
    with pytest.raises(NotApplicable, match=r"batch=4 is more than the 3 .*batch=3 or"):
        samples([4], 4)
    assert len(samples([4]).draw().y) == 3
    assert len(samples([8]).draw().y) == 4


def test_draws_anew_turn_the_image_and_keep_its_operator_and_its_noise_level():
    some = samples([8], 4)
    batch = some.draw_anew()
    known = batch.physics.mask.expand_as(batch.y) == 1
    noise = (batch.y - batch.x)[known]
    assert 0.008 < noise.std() < 0.012
    again = samples([8], 4).draw_anew()
    assert torch.equal(again.y, batch.y) and torch.equal(again.x, batch.x)
    assert not torch.equal(some.draw_anew().y, batch.y)


def test_other_operators_are_as_many_as_the_images_and_are_those_of_the_set():
    some = samples([3, 2], 2)
    known = {tuple(m.flatten().tolist()) for b in some.batches for m in b.physics.mask}
    seen = set()
    for batch in (*some.held_out(), some.draw()) * 15:
        masks = some.other_physics(batch).mask
        assert len(masks) == len(batch.y)
        seen |= {tuple(mask.flatten().tolist()) for mask in masks}
    assert seen == known and len(known) == 5


def test_the_noise_of_chosen_images_is_torch_s_and_not_a_generator_s():
    batch = masked(2)
    batch.seed_noise(0)
    chosen = images_of(batch, [0])
    state = torch.random.get_rng_state()
    first = chosen.physics(chosen.x)
    torch.random.set_rng_state(state)
    assert torch.equal(chosen.physics(chosen.x), first)


@pytest.mark.parametrize(("shape", "n_symmetries"), [((5, 5), 8), ((4, 6), 4)])
def test_images_are_turned_by_the_symmetries_of_their_shape(shape, n_symmetries):
    x = torch.rand(1, 2, *shape).expand(400, -1, -1, -1)
    images = turned(x, torch.Generator().manual_seed(0))
    found = {tuple(image.flatten().tolist()) for image in images}
    assert images.shape == x.shape and len(found) == n_symmetries
    assert all(sorted(image) == sorted(x[0].flatten().tolist()) for image in found)


@pytest.mark.parametrize("shape", [(5, 5), (4, 6)])
def test_images_that_are_turned_back_are_the_same_again(shape):
    x = torch.rand(40, 2, *shape)
    turns = draw_turns(40, torch.Generator().manual_seed(0))
    assert torch.equal(turned_back(turned_by(x, turns), turns), x)


def test_masks_of_k_space_go_with_their_images():
    mask = (torch.rand(3, 1, 8, 8) < 0.5).float()
    physics = dinv.physics.MRI(mask=mask, img_size=(2, 8, 8))
    x = torch.rand(3, 2, 8, 8)
    batch = measure(x, physics, torch.Generator().manual_seed(0))
    one = images_of(batch, [1])
    torch.testing.assert_close(one.physics.A(one.x), physics.A(x)[1:2])
