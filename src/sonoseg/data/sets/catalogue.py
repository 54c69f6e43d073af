"""The sets that are known: how large, under which licence, where to get them, and what their source was tested on.

Checksums are those that the publisher states. Where there is none, the first download's is computed and recorded.
"""

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Download:
    """A file of a release. checksum: ``md5:`` or ``sha256:`` and hexadecimal, or nothing where none is published."""

    url: str
    checksum: str = ""

    @property
    def name(self) -> str:
        """What the file is called."""
        return PurePosixPath(unquote(urlsplit(self.url).path)).name


@dataclass(frozen=True)
class KnownSet:
    """A published set.

    size: images, patients, classes. page: where it is published. access: how to get it, or what to sign and where.
    tested: what its source was tested on. downloads: what ``sonoseg data get`` fetches; none where a person must act.
    source: how ``--data`` names it.
    """

    title: str
    size: str
    licence: str
    citation: str
    page: str
    access: str
    tested: str
    downloads: tuple[Download, ...] = field(default=())
    source: str = "folder"


_MADE = "a made tree only; layout from {}, not checked on real files"

KNOWN: dict[str, KnownSet] = {
    "busi": KnownSet(
        title="BUSI, Dataset of breast ultrasound images",
        size="780 images: 437 benign, 210 malignant, 133 normal; 600 women, not told apart",
        licence="not formally stated: cite the paper, do not redistribute",
        citation="Al-Dhabyani W, Gomaa M, Khaled H, Fahmy A. Dataset of breast ultrasound images. "
        "Data in Brief 28:104863 (2020), doi 10.1016/j.dib.2019.104863",
        page="https://scholar.cu.edu.eg/?q=afahmy/pages/dataset",
        access="its licence is not stated, so no program fetches it: download it from its page and unpack it",
        tested="the real files",
        source="busi",
    ),
    "bus-bra": KnownSet(
        title="BUS-BRA, a breast ultrasound dataset for assessing computer-aided diagnosis systems",
        size="1,875 images of 1,064 patients (722 benign, 342 malignant), 4 scanners, official 5 folds",
        licence="CC BY 4.0 on Zenodo; the archive's own notice: any use and redistribution, the paper must be cited",
        citation="Gomez-Flores W, Gregorio-Calas MJ, Pereira WCA. BUS-BRA: A breast ultrasound dataset for assessing "
        "computer-aided diagnosis systems. Medical Physics 51:3110-3123 (2024), doi 10.1002/mp.16812; "
        "data: doi 10.5281/zenodo.8231412",
        page="https://zenodo.org/records/8231412",
        access="downloaded by: sonoseg data get bus-bra --to PATH",
        tested="the real files of the official folds 1 to 3 (1,127 images)",
        downloads=(
            Download(
                "https://zenodo.org/records/8231412/files/BUSBRA.zip?download=1",
                "md5:1f8b2be6476d58fc97bfb5e5a1ea9bab",
            ),
        ),
        source="bus-bra",
    ),
    "breast": KnownSet(
        title="BrEaST (Breast-Lesions-USG)",
        size="256 images of 256 patients: 154 benign, 98 malignant, 4 normal",
        licence="CC BY 4.0",
        citation="Pawlowska A, Cwierz-Pienkowska A, Domalik A, et al. Curated benchmark dataset for ultrasound based "
        "breast lesion analysis. Scientific Data 11 (2024), doi 10.1038/s41597-024-02984-z; "
        "data: doi 10.7937/9WKK-Q141",
        page="https://www.cancerimagingarchive.net/collection/breast-lesions-usg/",
        access="downloaded by: sonoseg data get breast --to PATH",
        tested=_MADE.format("the authors' import script"),
        downloads=(
            Download(
                "https://www.cancerimagingarchive.net/wp-content/uploads/"
                "BrEaST-Lesions_USG-images_and_masks-Dec-15-2023.zip"
            ),
            Download(
                "https://www.cancerimagingarchive.net/wp-content/uploads/"
                "BrEaST-Lesions-USG-clinical-data-Dec-15-2023.xlsx"
            ),
        ),
        source="breast",
    ),
    "bus-uclm": KnownSet(
        title="BUS-UCLM, breast ultrasound lesion segmentation dataset",
        size="683 images of 38 patients: 174 benign, 90 malignant, 419 normal",
        licence="CC BY 4.0 (some copies say non-commercial; see its page)",
        citation="Vallez N, Bueno G, Deniz O, Rienda MA, Pastor C. BUS-UCLM: Breast ultrasound lesion segmentation "
        "dataset. Scientific Data 12 (2025), doi 10.1038/s41597-025-04562-3; data: doi 10.17632/7fvgj4jsp7",
        page="https://data.mendeley.com/datasets/7fvgj4jsp7",
        access="downloaded by: sonoseg data get bus-uclm --to PATH",
        tested=_MADE.format("the authors' scripts and public readers of the set"),
        downloads=(Download("https://prod-dcd-datasets-cache-zipfiles.s3.eu-west-1.amazonaws.com/7fvgj4jsp7-1.zip"),),
        source="bus-uclm",
    ),
    "oasbud": KnownSet(
        title="OASBUD, Open Access Series of Breast Ultrasonic Data",
        size="200 scans (radio-frequency echoes) of 100 lesions of 78 women: 48 benign, 52 malignant",
        licence="freely available for study, says its paper; read the licence on its page, it was not checked here",
        citation="Piotrzkowska-Wroblewska H, Dobruch-Sobczak K, Byra M, Nowicki A. Open access database of raw "
        "ultrasonic signals acquired from malignant and benign breast lesions. Medical Physics 44:6105-6109 (2017), "
        "doi 10.1002/mp.12538; data: doi 10.5281/zenodo.545928",
        page="https://zenodo.org/records/545928",
        access="downloaded by: sonoseg data get oasbud --to PATH",
        tested=_MADE.format("public readers of the file"),
        downloads=(
            Download(
                "https://zenodo.org/records/545928/files/OASBUD.mat?download=1", "md5:e2b770a6ee2f06ebe480ed0962252100"
            ),
        ),
        source="oasbud",
    ),
    "udiat": KnownSet(
        title="UDIAT, Dataset B",
        size="163 images of 163 women",
        licence="by agreement with its owners",
        citation="Yap MH, Pons G, Marti J, et al. Automated breast ultrasound lesions detection using convolutional "
        "neural networks. IEEE JBHI 22:1218-1226 (2018), doi 10.1109/JBHI.2017.2731873",
        page="https://helward.mmu.ac.uk/STAFF/m.yap/dataset.php",
        access="sign the agreement on its page and send it to the owners; they answer with the files",
        tested="nothing: it is read with folder:",
    ),
    "stu": KnownSet(
        title="STU-Hospital",
        size="42 images",
        licence="not stated: cite the paper, do not redistribute",
        citation="Zhuang Z, Li N, Joseph Raj AN, et al. An RDAU-NET model for lesion segmentation in breast "
        "ultrasound images. PLoS ONE 14:e0221535 (2019), doi 10.1371/journal.pone.0221535",
        page="https://github.com/xbhlk/STU-Hospital",
        access="its licence is not stated, so no program fetches it: download it from its page",
        tested="nothing: it is read with folder:",
    ),
}
