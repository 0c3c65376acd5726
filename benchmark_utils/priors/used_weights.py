"""Which weights a solver loads, as its parameters say, and what tells them.

The key of a result holds them (benchmark_utils/common/fingerprint.py).
"""

from benchmark_utils.common.checksums import read_checksums
from benchmark_utils.common.fingerprint import content_digest, data_listing
from benchmark_utils.common.paths import data_folder
from benchmark_utils.priors import compact
from benchmark_utils.priors.compact import compact_names
from benchmark_utils.priors.denoisers import compact_of_denoiser
from benchmark_utils.priors.published import PUBLISHED_RESTORERS, published_file
from benchmark_utils.priors.published_weights import FILES, KEY
from benchmark_utils.priors.restoration import family_and_task


def networks_named(parameters):
    """What the parameters of a solver say that it loads.

    They are denoiser, prior, priors ("denoiser+published:sr2") and networks.

    Returns
    -------
    list of the names of compact networks; whether published networks are loaded too.
    None, where no parameter is one of the first three.
    """
    if parameters.keys().isdisjoint(("denoiser", "prior", "priors")):
        return None
    names = compact_of_denoiser(parameters.get("denoiser"))
    names += compact_names(*_tasks(parameters, "compact"))
    is_drunet = parameters.get("denoiser") == "drunet"
    return names, is_drunet or bool(_tasks(parameters, "published"))


def _tasks(parameters, family):
    """The tasks of the priors of a family."""
    options = [str(parameters.get(key, "")) for key in ("prior", "priors")]
    networks = parameters.get("networks", "compact")
    priors = (
        family_and_task(prior, networks)
        for option in options
        for prior in option.split("+")
    )
    return [task for its_family, task in priors if its_family == family and task]


def checksums_used(compact_names, parameters=None):
    """{file: first 12 digits of its sha256} of the weights that a solver loads.

    Parameters
    ----------
    compact_names : list of str
        The networks of this repository.
    parameters : dict
        Those of the solver, where it loads published networks.
    """
    paths = _compact_paths(compact_names)
    if parameters:
        names = ["drunet"] if parameters.get("denoiser") == "drunet" else []
        tasks = _tasks(parameters, "published")
        names += [published_file(task) for task in tasks if task in PUBLISHED_RESTORERS]
        paths += [data_folder(KEY) / FILES[name].file for name in names]
    digests = {path.name: content_digest(path) for path in paths}
    return {name: digest[:12] for name, digest in digests.items() if digest}


def _compact_paths(names):
    return [compact.WEIGHTS / f"compact_{name}.safetensors" for name in names]


def compact_state(names):
    """What tells the weights of compact networks: their content and their checksums."""
    paths = _compact_paths(names)
    recorded = {}
    if compact.WEIGHTS_CHECKSUMS.exists():
        recorded = read_checksums(compact.WEIGHTS_CHECKSUMS)
    return [(p.name, content_digest(p), recorded.get(p.name)) for p in paths]


def published_state():
    """What tells the published weights that are on this machine; none is opened."""
    return data_listing(KEY)
