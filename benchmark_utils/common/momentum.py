"""The momentum that makes first-order methods fast."""


def next_momentum(t):
    """What FISTA needs after its k-th step: t_{k+1} and (t_k - 1) / t_{k+1}.

    The second one is the momentum m of the next point v = x_k + m (x_k - x_{k-1}).
    Beck and Teboulle (2009), "A Fast Iterative Shrinkage-Thresholding Algorithm for
    Linear Inverse Problems".

    Parameters
    ----------
    t : float, or tensor with the t_k of each signal; 1 at first.
    """
    t_new = (1 + (1 + 4 * t**2) ** 0.5) / 2
    return t_new, (t - 1) / t_new
