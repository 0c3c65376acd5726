"""Every solver on a real GPU: what it computes there is what it does on the CPU."""

import pytest
import torch
from walk import DATA, SOLVERS, solved

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="there is no CUDA device here"
)
SEEDS = range(4)


@pytest.mark.parametrize("problem", DATA)
@pytest.mark.parametrize("name", SOLVERS)
def test_a_gpu_gives_the_scores_of_the_cpu(name, problem, get_data, get_objective):
    """Within 0.02 dB, and for random methods within six errors of the difference.

    The generators of the two devices draw different numbers, training batches too.
    """
    dataset, parameters = DATA[problem]
    data = get_data(dataset, **parameters)

    def psnr(device, seed):
        result, scores = solved(SOLVERS[name], data, get_objective, device, seed)
        if isinstance(result, str):
            pytest.skip(result)
        assert all(x.device.type == device for x in result["x_hat"])
        return scores["psnr"]

    on_cpu = torch.tensor([psnr("cpu", seed) for seed in SEEDS])
    on_gpu = torch.tensor([psnr("cuda", seed) for seed in SEEDS])
    error = float(((on_cpu.var() + on_gpu.var()) / len(SEEDS)).sqrt())
    assert abs(float(on_gpu.mean() - on_cpu.mean())) < 0.02 + 6 * error


def test_products_on_a_gpu_are_those_of_float32(get_data, get_objective):
    solved(SOLVERS["TV"], get_data("simulated"), get_objective, "cuda")
    x = torch.randn(512, 512, dtype=torch.float64, device="cuda")
    error = (x.float() @ x.float() - x @ x).abs().max()
    assert float(error) < 1e-3  # About 0.03 with TF32.
