"""BibTeX of the methods and data sets that a table of this package may name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """kind: of BibTeX, such as "article"; fields: name and value, as they are written."""

    key: str
    kind: str
    fields: tuple[tuple[str, str], ...]

    def to_bibtex(self) -> str:
        lines = "".join(f"  {name} = {{{value}}},\n" for name, value in self.fields)
        return f"@{self.kind}{{{self.key},\n{lines}}}\n"


def reference(key: str, kind: str, **fields: str) -> Reference:
    return Reference(key, kind, tuple(fields.items()))


FESNET = reference(
    "zhang2024fesnet", "article",
    author="Zhang, Bohao and Lu, Jiale and Wang, Changbo and He, Gaoqi",
    title="{FESNet}: Spotting Facial Expressions Using Local Spatial Discrepancy and Multi-Scale "
    "Temporal Aggregation",
    journal="Computing and Informatics", volume="43", number="2", pages="458--481", year="2024",
    doi="10.31577/cai_2024_2_458",
)  # fmt: skip
RULE = reference(
    "he2020spotting", "inproceedings",
    author="He, Ying and Wang, Su-Jing and Li, Jingting and Yap, Moi Hoon",
    title="Spotting Macro- and Micro-expression Intervals in Long Video Sequences",
    booktitle="IEEE International Conference on Automatic Face and Gesture Recognition",
    year="2020",
)  # fmt: skip
# By the names of methods and data sets of `fesnet benchmark`, and of metrics.
REFERENCES = {
    "fesnet": FESNET,
    "mdmd": RULE,
    "official": RULE,
    "softnet": reference(
        "liong2021softnet", "inproceedings",
        author="Liong, Gen-Bing and See, John and Wong, Lai-Kuan",
        title="Shallow Optical Flow Three-Stream {CNN} for Macro- and Micro-Expression Spotting "
        "from Long Videos",
        booktitle="IEEE International Conference on Image Processing", year="2021",
    ),
    "auwgcn": reference(
        "yin2023auwgcn", "inproceedings",
        author="Yin, Shukang and Wu, Shiwei and Xu, Tong and Liu, Shifeng and Zhao, Sirui and "
        "Chen, Enhong",
        title="{AU}-aware Graph Convolutional Network for Macro- and Micro-expression Spotting",
        booktitle="IEEE International Conference on Multimedia and Expo", year="2023",
    ),
    "strs": reference(
        "liong2023strs", "article",
        author="Liong, Gen-Bing and See, John and Chan, Chee-Seng",
        title="Spot-then-recognize: A Micro-expression Analysis Network for Seamless Evaluation "
        "of Long Videos",
        journal="Signal Processing: Image Communication", volume="110", pages="116875", year="2023",
    ),
    "casme2": reference(
        "qu2018casme2", "article",
        author="Qu, Fangbing and Wang, Su-Jing and Yan, Wen-Jing and Li, He and Wu, Shuhang and "
        "Fu, Xiaolan",
        title="{CAS(ME)$^2$}: A Database for Spontaneous Macro-Expression and Micro-Expression "
        "Spotting and Recognition",
        journal="IEEE Transactions on Affective Computing", volume="9", number="4",
        pages="424--436", year="2018",
    ),
    "samm": reference(
        "yap2020samm", "inproceedings",
        author="Yap, Chuin Hong and Kendrick, Connah and Yap, Moi Hoon",
        title="{SAMM} Long Videos: A Spontaneous Facial Micro- and Macro-Expressions Dataset",
        booktitle="IEEE International Conference on Automatic Face and Gesture Recognition",
        year="2020",
    ),
    "casme3": reference(
        "li2023casme3", "article",
        author="Li, Jingting and Dong, Zizhao and Lu, Shaoyuan and Wang, Su-Jing and Yan, Wen-Jing "
        "and Ma, Yinhuan and Liu, Ye and Huang, Changbing and Fu, Xiaolan",
        title="{CAS(ME)$^3$}: A Third Generation Facial Spontaneous Micro-Expression Database With "
        "Depth Information and High Ecological Validity",
        journal="IEEE Transactions on Pattern Analysis and Machine Intelligence", volume="45",
        number="3", pages="2782--2800", year="2023", doi="10.1109/TPAMI.2022.3174895",
    ),
}  # fmt: skip
REFERENCES["fesnet-pretrained"] = REFERENCES["fesnet-shipped"] = FESNET
REFERENCES["casme3c"] = REFERENCES["casme3"]


def bibtex(names: Iterable[str]) -> str:
    """Entries of the names that have one, each once, by key."""
    found = {REFERENCES[name].key: REFERENCES[name] for name in names if name in REFERENCES}
    return "\n".join(found[key].to_bibtex() for key in sorted(found))
