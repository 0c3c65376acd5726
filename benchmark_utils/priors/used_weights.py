"""Which weights a solver loads, as its parameters say, and what tells them.

The key of a result holds them (benchmark_utils/common/fingerprint.py).
"""

from benchmark_utils.common.checksums import read_checksums
from benchmark_utils.common.fingerprint import content_digest, data_listing
from benchmark_utils.priors import compact
from benchmark_utils.priors.compact import compact_names
from benchmark_utils.priors.denoisers import compact_of_denoiser
from benchmark_utils.priors.published_weights import KEY


def networks_named(parameters):
    """What the parameters of a solver say that it loads.

    They are denoiser, prior, priors ("denoiser+sr2") and networks.

    Returns
    -------
    list of the names of compact networks; whether published networks are loaded too.
    None, where no parameter is one of the first three.
    """
    if parameters.keys().isdisjoint(("denoiser", "prior", "priors")):
        return None
    options = [str(parameters.get(key, "")) for key in ("prior", "priors")]
    tasks = [task for option in options for task in option.split("+") if task]
    names = compact_of_denoiser(parameters.get("denoiser"))
    published = parameters.get("denoiser") == "drunet"
    if parameters.get("networks", "compact") == "compact":
        return names + compact_names(*tasks), published
    return names, published or bool(tasks)


def compact_state(names):
    """What tells the weights of compact networks: their content and their checksums."""
    paths = [compact.WEIGHTS / f"compact_{name}.safetensors" for name in names]
    recorded = {}
    if compact.WEIGHTS_CHECKSUMS.exists():
        recorded = read_checksums(compact.WEIGHTS_CHECKSUMS)
    return [(p.name, content_digest(p), recorded.get(p.name)) for p in paths]


def published_state():
    """What tells the published weights that are on this machine; none is opened."""
    return data_listing(KEY)
