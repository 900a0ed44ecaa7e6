"""PyTorch: a plain loop over tensors in memory, with fused Adam."""

import itertools
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from common import (
    EPSILON,
    SEED,
    Job,
    flat_float32,
    initial_parameters,
    load,
    sizes,
    timed_cases,
    timed_models,
    timed_predictions,
)
from torch import nn
from torch.nn import functional


def network(case: dict) -> nn.Sequential:
    dense = [nn.Linear(inputs, units) for inputs, units in itertools.pairwise(sizes(case))]
    with torch.no_grad():
        for layer, (kernel, bias) in zip(dense, initial_parameters(case), strict=True):
            layer.weight.copy_(torch.from_numpy(kernel.T))
            layer.bias.copy_(torch.from_numpy(bias))
    layers = [part for layer in dense for part in (layer, nn.ReLU())]
    return nn.Sequential(*layers[:-1])  # no activation at the end


class Trainer:
    """A network and its Adam on the job's device."""

    def __init__(self, job: Job, case: dict) -> None:
        self.case = case
        self.device = "cuda" if job["device"] == "gpu" else "cpu"
        self.model = network(case).to(self.device)
        self.adam = torch.optim.Adam(
            self.model.parameters(), lr=case["learning_rate"], eps=EPSILON, fused=True
        )

    def tensors(self, x: np.ndarray, y: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows, as bytes or float32, and labels on the device."""
        bytes_stay = x.dtype == np.uint8
        x = x.reshape(len(x), -1) if bytes_stay else flat_float32(x)
        dtype = "float32" if self.case["outputs"] == 1 else "int64"
        labels = torch.from_numpy(y.ravel().astype(dtype))
        return torch.from_numpy(x).to(self.device), labels.to(self.device)

    @staticmethod
    def scaled(x: torch.Tensor) -> torch.Tensor:
        return x.float().mul_(1 / 255) if x.dtype == torch.uint8 else x

    def loss_and_hits(
        self, logits: torch.Tensor, y: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self.case["outputs"] == 1:
            logits = logits[:, 0]
            loss = functional.binary_cross_entropy_with_logits(logits, y)
            return loss, ((logits > 0) == (y > 0)).sum()
        return functional.cross_entropy(logits, y), (logits.argmax(1) == y).sum()

    def step(self, x: torch.Tensor, y: torch.Tensor, sums: list[torch.Tensor]) -> None:
        """Train on one batch; loss and hits are summed as Keras does for its progress line."""
        logits = self.model(self.scaled(x))
        loss, hits = self.loss_and_hits(logits, y)
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        self.adam.step()
        with torch.no_grad():
            sums[0] += loss.detach() * len(y)
            sums[1] += hits

    def sums(self) -> list[torch.Tensor]:
        return [
            torch.zeros((), device=self.device),
            torch.zeros((), dtype=torch.long, device=self.device),
        ]

    def train(
        self, x: torch.Tensor, y: torch.Tensor, epochs: int, after: Callable = lambda: None
    ) -> None:
        for _ in range(epochs):
            sums = self.sums()
            for rows in torch.randperm(len(x), device=self.device).split(self.case["batch"]):
                self.step(x[rows], y[rows], sums)
            sums[0].item(), sums[1].item()
            after()

    @torch.no_grad()
    def evaluate(self, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
        logits = torch.cat([self.model(self.scaled(part)) for part in x.split(1000)])
        loss, hits = self.loss_and_hits(logits, y)
        return loss.item(), hits.item() / len(y)


def fit(job: Job) -> None:
    def prepare(case: dict) -> tuple[Callable, Callable, Callable]:
        arrays = load(case["data"], case.get("rows"))
        trainer = Trainer(job, case)
        x, y = trainer.tensors(*arrays[:2])
        x_test, y_test = trainer.tensors(*arrays[2:])

        def evaluate() -> tuple[float, float]:
            return trainer.evaluate(x_test, y_test)

        return (
            lambda epochs: trainer.train(x, y, epochs),
            lambda epochs: trainer.train(x, y, epochs, evaluate),
            evaluate,
        )

    timed_cases(job, prepare)


def many(job: Job) -> None:
    case = job["cases"][0]
    arrays = load(case["data"], case.get("rows"))

    def build_and_fit() -> Callable[[], object]:
        trainer = Trainer(job, case)
        x, y = trainer.tensors(*arrays[:2])
        trainer.train(x, y, 1)
        return lambda: trainer.train(x, y, 1)

    timed_models(job, build_and_fit)


def predict(job: Job) -> None:
    trainer = Trainer(job, job["cases"][0])

    @torch.inference_mode()
    def call(x: np.ndarray) -> np.ndarray:
        return torch.sigmoid(trainer.model(torch.from_numpy(x).to(trainer.device))).cpu().numpy()

    def blocks(x: np.ndarray) -> np.ndarray:
        """Predict in blocks that fit into the caches, which is faster than all rows at once."""
        return np.concatenate([call(x[at : at + 8192]) for at in range(0, len(x), 8192)])

    timed_predictions(job, {"model(x)": call}, blocks, lambda: 0)


class Photos(torch.utils.data.Dataset):
    """Image files in one folder per class, decoded on access."""

    def __init__(self, folder: Path) -> None:
        classes = sorted(path for path in folder.iterdir() if path.is_dir())
        self.files = []
        for number, path in enumerate(classes):
            self.files += [(file.path, number) for file in os.scandir(path)]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        from PIL import Image

        path, number = self.files[index]
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB")), number


def images(job: Job) -> None:
    """Train while two workers decode; their processor time is known when they have ended."""
    case = job["cases"][0]
    trainer = Trainer(job, case)
    files = Photos(Path(case["data"]) / "photos")
    loader = torch.utils.data.DataLoader(
        files, batch_size=case["batch"], shuffle=True, num_workers=2
    )
    begin, busy, sums = time.perf_counter(), _busy(), trainer.sums()
    for x, y in loader:
        trainer.step(x.flatten(1).to(trainer.device), y.to(trainer.device), sums)
    loss, hits = sums[0].item() / len(files), sums[1].item() / len(files)
    job.stamp("end of the first epoch")
    seconds = time.perf_counter() - begin
    del loader
    job.figure("fit", seconds)
    job.figure("decoding", seconds)
    job.figure("decoding: cores busy", (_busy() - busy) / seconds)
    job.reached["images"] = [loss, hits]


def _busy() -> float:
    """Processor seconds of this process and of its children that have ended."""
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


TASKS = {"fit": fit, "many": many, "predict": predict, "images": images}


def main() -> None:
    job = Job()
    torch.manual_seed(SEED)
    TASKS[job["task"]](job)
    job.write("torch")


if __name__ == "__main__":
    main()
