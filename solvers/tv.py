from benchmark_utils.common import COUNT, POSITIVE
from benchmark_utils.physics import data_term, noise_scale
from benchmark_utils.priors import gradient, gradient_adjoint, project_on_ball
from benchmark_utils.solving import IterativeSolver, Range


class Solver(IterativeSolver):
    """min_x 1/2 ||A x - y||^2 + weight TV(x), isotropic, by a primal-dual method.

    Chambolle and Pock (2011), with the over-relaxation of Condat (2013). The proximal
    operator of the data term is in closed form for the usual operators, and a
    conjugate gradient for the others. The gradients of the real and the imaginary part
    of a complex image have one norm.

    weight = reg noise (noise / 0.01)^{1/2}: of motion blur, the best one at noise 0.05
    is 9 times that at 0.01, where noise itself is 5 and a likelihood 25 times larger.
    """

    name = "TV"
    parameters = {"reg": ["tuned"], "n_iter": COUNT(200), "step": POSITIVE(0.02)}
    search_space = {"reg": Range(0.003, 3.0, default=0.2, may_be_zero=True)}
    relaxation = 1.9

    def iterate(self, y, physics):
        f = data_term(physics, y)
        weight = self.reg * f.noise_level * noise_scale(f.noise_level)
        weight = max(weight, 1e-8)
        # The dual variable is of the size of the weight: dividing by it balances the
        # two step sizes. Their product is 1 / ||grad||^2 = 1 / 8.
        tau = self.step / weight
        dual_step = 1 / (8 * tau)
        is_complex = self.domain.kind == "complex"
        x = f.initial_guess()
        u = x.new_zeros((2, *x.shape))
        for _ in range(self.n_iter):
            x_new = f.prox(x - tau * gradient_adjoint(u), tau)
            step = gradient(2 * x_new - x).mul_(dual_step).add_(u)
            u_new = project_on_ball(step, weight, is_complex)
            yield x_new
            x = x.lerp(x_new, self.relaxation)
            u = u.lerp_(u_new, self.relaxation)
