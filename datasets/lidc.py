from deepinv.datasets import LidcIdriSliceDataset

from benchmark_utils.common import COUNT, Unavailable, one_of, whole
from benchmark_utils.data import (
    ATTENUATIONS,
    ImageDataset,
    data_folder,
    data_listing,
    from_hounsfield,
    problem_parameters,
    reduced,
)
from benchmark_utils.physics import CT_PROBLEMS


class Dataset(ImageDataset):
    """The slice in the middle of scans of LIDC-IDRI, from a folder of data_paths.

    Armato et al. (2011), https://www.cancerimagingarchive.net/collection/lidc-idri/:
    the folder that has metadata.csv. The first scans are those of the test.
    """

    name = "lidc"
    problems = CT_PROBLEMS
    parameters = {
        **problem_parameters(CT_PROBLEMS),
        "img_size": one_of(512, 256, 128, 64, 32)(256),
        "n_images": COUNT(10),
        "n_train": whole(0)(10),
    }
    domain = ATTENUATIONS

    def machine_state(self):
        return super().machine_state(), data_listing(self.name)

    def load(self, split):
        slices = self.slices()
        if not len(slices):
            raise Unavailable(f"{data_folder(self.name)} has no slice (.dcm).")
        middles = {}
        for i, slice_ in enumerate(slices.sample_identifiers):
            middles.setdefault(slice_.scan_folder, []).append(i)
        scans = [indices[len(indices) // 2] for indices in middles.values()]
        first = 0 if split == "test" else self.n_images
        n = self.n_images if split == "test" else self.n_train
        return {
            name: reduced(from_hounsfield(hu, name), self.img_size)
            for name, hu in (self.named(slices, i) for i in scans[first : first + n])
        }

    @staticmethod
    def named(slices, index):
        slice_ = slices.sample_identifiers[index]
        name = f"{slice_.patient_id}_{slice_.slice_fname}"
        try:
            return name, slices[index]
        # pydicom has an error for each way in which a file is damaged.
        except Exception as error:
            raise Unavailable(
                f"{name} of {slice_.scan_folder} cannot be read: {error}"
            ) from error

    def slices(self):
        folder = data_folder(self.name)
        try:
            import pydicom  # noqa: F401

            return LidcIdriSliceDataset(str(folder), hounsfield_units=True)
        except ImportError as error:
            raise Unavailable("The dataset lidc needs: pip install pydicom") from error
        except (ValueError, KeyError, FileNotFoundError) as error:
            raise Unavailable(
                f"{folder} has not the layout of LIDC-IDRI ({error}): get it from "
                "https://www.cancerimagingarchive.net/collection/lidc-idri/ and give "
                "the folder of its metadata.csv in config_local.yml, as data_paths: "
                "{lidc: /its/folder}."
            ) from error
