"""The figures that the page shows for each job, and those that the picture draws."""

from typing import NamedTuple


class Column(NamedTuple):
    """A figure of a job."""

    figure: str
    heading: str
    unit: str = "s"  # "s", "µs", "MB", "%", "" (a number)
    drawn: str = ""  # its label in the picture, if it is drawn


_SIZES = [
    "1,000 rows, batch 32",
    "1,000 rows, batch 256",
    "10,000 rows, batch 32",
    "10,000 rows, batch 256",
]
_FEATURES = [
    "dropout",
    "batch normalization",
    "L2",
    "class weights",
    "5 metrics",
    "EarlyStopping",
    "CSVLogger",
    "all together",
]
_ARTICLE = [
    Column("article: epoch", "one epoch", drawn="W1 article: one epoch"),
    Column(
        "article: epoch with validation", "one epoch with validation", drawn="W1 with validation"
    ),
    Column(
        "start to evaluated", "start to evaluated, 1 epoch", drawn="W1 start to evaluated, 1 epoch"
    ),
    Column("peak MB", "peak memory", "MB", drawn="W1 peak memory"),
]
COLUMNS: dict[str, list[Column]] = {
    "W1 article": _ARTICLE,
    "W1 ten epochs": [
        Column(
            "start to evaluated",
            "start to evaluated, 10 epochs",
            drawn="W1 start to evaluated, 10 epochs",
        ),
        Column("peak MB", "peak memory", "MB"),
    ],
    "W1 float64": [
        column._replace(drawn="") for column in _ARTICLE if "validation" not in column.figure
    ],
    "W2 tiny": [Column(f"{size}: epoch", size, drawn=f"W2 {size}") for size in _SIZES],
    "W2 digits": [
        Column(
            "start to evaluated",
            "start to evaluated, 50 epochs",
            drawn="W2 digits, start to 50 epochs",
        ),
        Column("start to end of the first fit", "start to trained"),
    ],
    "W3 wide": [
        Column("wide: epoch", "one epoch", drawn="W3 wide"),
        Column("peak MB", "peak memory", "MB"),
    ],
    "W4 deep": [
        Column("10 layers: epoch", "one epoch, 10 layers"),
        Column("40 layers: epoch", "one epoch, 40 layers", drawn="W4 40 layers"),
        Column("40 layers: a step (\u00b5s)", "one step, 40 layers", "\u00b5s"),
        Column("a layer (\u00b5s)", "one layer", "\u00b5s"),
        Column("the products of a layer (\u00b5s)", "matrix products of one layer", "\u00b5s"),
        Column("40 layers: made and first fit", "40 layers: built, compiled, first epoch"),
    ],
    "W5 large batch": [
        Column("large batch: epoch", "one epoch", drawn="W5 batch 4,096"),
        Column("peak MB", "peak memory", "MB"),
    ],
    "W6 many": [
        Column("first model", "first model"),
        Column("second model", "second model"),
        Column("second model, less an epoch", "second model, minus one epoch"),
        Column("model 3 and later", "later models, median", drawn="W6 a further model"),
        Column("MB after model 10", "memory after model 10", "MB"),
        Column("memory growth from model 10 to the last (%)", "growth to the last model", "%"),
    ],
    "W7 predict": [
        *(
            Column(f"one row, {method} (\u00b5s)", f"one row: {method}", "\u00b5s")
            for method in (
                "predict",
                "predict_on_batch",
                "model(x)",
                "predict_proba",
                "jitted call",
            )
        ),
        Column(
            "one row, the fastest way (\u00b5s)",
            "one row, fastest method",
            "\u00b5s",
            "W7 one row, fastest method",
        ),
        Column("random sizes, s per 1,000", "1,000 random sizes", drawn="W7 1,000 random sizes"),
        Column("random sizes: compilations", "compilations for random sizes", ""),
        Column("a million rows", "a million rows", drawn="W7 a million rows"),
    ],
    "W8 features": [
        Column("plain: epoch", "plain, one epoch"),
        *(Column(f"{name}: times plain", name, "") for name in _FEATURES),
    ],
    "W9 import": [Column("start to imported", "start to imported")],
    "W9 first epoch": [
        Column(
            "start to end of the first fit",
            "start to end of epoch 1",
            drawn="W9 tiny job, start to epoch 1",
        ),
        Column("second model: made and first fit", "second model: built, compiled, one epoch"),
    ],
    "W10 images": [
        Column(
            "start to end of the first epoch",
            "start to end of epoch 1",
            drawn="W10 60,000 JPEG files",
        ),
        Column("decoding", "decoding"),
        Column("decoding: cores busy", "cores busy while decoding", ""),
        Column("fit", "fit"),
    ],
}
