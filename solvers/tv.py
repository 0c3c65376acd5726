from benchmark_utils.common import COUNT, POSITIVE
from benchmark_utils.physics import REFERENCE_NOISE, data_term, norm_scale
from benchmark_utils.priors import gradient, gradient_adjoint, project_on_ball
from benchmark_utils.solving import IterativeSolver, Range


class Solver(IterativeSolver):
    """min_x 1/2 ||A x - y||^2 + weight TV(x), isotropic, by a primal-dual method.

    Chambolle and Pock (2011), with the over-relaxation of Condat (2013). The proximal
    operator of the data term is in closed form for the usual operators, and a
    conjugate gradient for the others. That of tomography is not called: A has a dual
    variable too, and the primal step is an inverse filter (Pock and Chambolle, 2011,
    "Diagonal preconditioning", here in the Fourier domain). The gradients of the real
    and the imaginary part of a complex image have one norm.

    weight = 0.01 reg (noise / 0.01)^{1.4}: of motion blur, the best one at noise 0.05
    is 10 times that at 0.01, where noise itself is 5 and a likelihood 25 times larger.

    reg : weight of TV, for measurements with noise 0.01.
    step : tau times the weight; it changes the speed, and not the limit.
    """

    name = "TV"
    parameters = {"reg": ["tuned"], "n_iter": COUNT(200), "step": POSITIVE(0.02)}
    search_space = {"reg": Range(0.003, 3.0, default=0.2, may_be_zero=True)}
    relaxation = 1.9
    # The step of the dual variable of A, where A^T A is at most 1.
    data_step = 0.1

    def iterate(self, y, physics):
        f = data_term(physics, y)
        weight = self.reg * REFERENCE_NOISE * norm_scale(f.noise_level)
        weight = max(weight, 1e-8)
        splitting = self.with_operator if f.has_filters else self.with_prox
        yield from splitting(f, weight)

    def with_prox(self, f, weight):
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

    def with_operator(self, f, weight):
        dual_step = weight / (2 * self.step)
        x = f.initial_guess()
        u, v = x.new_zeros((2, *x.shape)), f.zero_dual()
        for _ in range(self.n_iter):
            direction = f.dual_adjoint(v) + gradient_adjoint(u)
            x_new = x - f.inverse_filter(direction, self.data_step, dual_step)
            ahead = 2 * x_new - x
            v_new = f.dual_prox(v, ahead, self.data_step)
            step = gradient(ahead).mul_(dual_step).add_(u)
            u_new = project_on_ball(step, weight)
            yield x_new
            x = x.lerp(x_new, self.relaxation)
            u = u.lerp_(u_new, self.relaxation)
            v = v.lerp_(v_new, self.relaxation)
