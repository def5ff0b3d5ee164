"""F1 that others published for the real data, to stand beside a table. Nothing here was measured by
this package.

F1 macro / micro / overall as their papers or repositories state them. The families do not compare:
see the protocols of `fesnet.metrics` and docs/evaluation.md.
"""

from __future__ import annotations

from dataclasses import dataclass

FAMILIES = {
    "official": "all videos, one to one, unknown offset = apex",
    "mdmd-script": "as official, but a find serves all truths that it reaches",
    "lgsnet-script": "as lssnet, whatever the kind, a find serves all truths that it reaches; "
    "unknown offset = apex + 20",
    "softnet": "each kind only on videos that contain it; interval length from all labels",
    "abpn": "best epoch for each test subject by that subject's own F1",
    "lssnet": "epoch and threshold swept on the test folds, each kind's best kept",
    "unseen": "test videos whose truth the challenge keeps; spot, then recognize",
    "": "not told, or not known to us",
}


@dataclass(frozen=True)
class Published:
    """A row of somebody's table; "-" where nothing was published.

    unseen: of the challenges' own test videos, in words.
    """

    method: str
    casme2: tuple[str, str, str]
    samm_lv: tuple[str, str, str]
    family: str
    source: str
    unseen: str = ""


def published_row(
    method: str, casme2: str, samm_lv: str, family: str, source: str, unseen: str = ""
) -> Published:
    one, other = (tuple(text.split()) for text in (casme2, samm_lv))
    return Published(
        method, (one[0], one[1], one[2]), (other[0], other[1], other[2]), family, source, unseen
    )


PUBLISHED = (
    published_row(
        "MDMD", ".1196 .0082 .0376", ".0629 .0364 .0445", "mdmd-script", "MEGC 2020 baseline"
    ),
    published_row("SP-FD", ".2131 .0547 .1403", ".0725 .1331 .0999", "", "Zhang et al. 2020"),
    published_row("LBCNN", "- - .0595", "- - .0813", "", "Pan et al. 2020"),
    published_row("3D-CNN", ".2145 .0714 .1675", ".1595 .0466 .1084", "", "Yap et al."),
    published_row(
        "SOFTNet", ".2410 .1173 .2022", ".2169 .1520 .1881", "softnet", "Liong et al. 2021"
    ),
    published_row(
        "OF-FD (hand-crafted flow)",
        ".3782 .1965 .3436",
        ".4149 .2162 .3638",
        "",
        "He 2021, first in MEGC 2021",
    ),
    published_row("LSSNet", ".3770 .0420 .3250", ".2810 .1310 .2380", "lssnet", "its paper"),
    published_row("Concat-CNN", ".2505 .0153 .2019", ".3553 .1155 .2736", "", "its paper"),
    published_row("MTSN, claimed", "- - .3620", "- - .2867", "softnet", "its paper"),
    published_row(
        "MTSN, run again by others", "- - .2565", "- - .2028", "softnet", "others' rerun"
    ),
    published_row(
        "Rethinking OF (hand-crafted)", ".4717 .2522 .4436", "- - -", "", "Zhao et al. 2022"
    ),
    published_row("AUW-GCN", ".4235 .1538 .3834", ".4293 .1984 .3728", "abpn", "Yin et al. 2023"),
    published_row("LGSNet", "- - .4637", "- - .388", "lgsnet-script", "its repository"),
    published_row("Causal-Ex", "- - .388", "- - .3701", "abpn", "its paper"),
    published_row("LGNMNet-RF", "- .3019 -", "- .3604 -", "softnet", "its paper"),
    published_row("MEAN", "- .1214 -", "- .0949 -", "softnet", "its paper"),
    published_row("ME-TST", "- - -", "- .2167 -", "softnet", "its paper"),
    published_row(
        "BoostingVRME",
        "- - -",
        "- .2906 -",
        "softnet",
        "its paper",
        "STRS .2000 on SAMM-LV, .0562 on CAS(ME)^3",
    ),
    published_row(
        "MEGC 2025 baseline",
        "- - -",
        "- - -",
        "unseen",
        "MEGC 2025 (arXiv 2506.15298)",
        "SAMM: F1 .0278, STRS .0062; CAS(ME)^3: F1 .0387, STRS .0086",
    ),
)
