"""PyTorch: a plain loop over tensors in memory, with the fused Adam."""

import torch
from common import BATCH, CLASSES, EPSILON, LEARNING_RATE, SEED, UNITS, Record, initial_parameters
from torch import nn
from torch.nn import functional


def main() -> None:
    record = Record()
    x_train, y_train, x_test, y_test = record.load()
    torch.manual_seed(SEED)
    if record.mode == "bytes":
        x_train, x_test = (torch.from_numpy(x.reshape(len(x), -1)) for x in (x_train, x_test))
    else:
        x_train, x_test = (torch.from_numpy(record.flat_float32(x)) for x in (x_train, x_test))
    y_train, y_test = torch.from_numpy(y_train).long(), torch.from_numpy(y_test).long()

    def scaled(x: torch.Tensor) -> torch.Tensor:
        return x.float().mul_(1 / 255) if record.mode == "bytes" else x

    features = x_train.shape[1]
    model = nn.Sequential(
        nn.Linear(features, UNITS[0]),
        nn.ReLU(),
        nn.Linear(UNITS[0], UNITS[1]),
        nn.ReLU(),
        nn.Linear(UNITS[1], CLASSES),
    )
    dense = [layer for layer in model if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for layer, (kernel, bias) in zip(dense, initial_parameters(features), strict=True):
            layer.weight.copy_(torch.from_numpy(kernel.T))
            layer.bias.copy_(torch.from_numpy(bias))
    adam = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, eps=EPSILON, fused=True)

    record.fit_begins()
    for _ in range(record.epochs):
        order = torch.randperm(len(x_train))
        loss_sum, correct = torch.zeros(()), torch.zeros((), dtype=torch.long)
        for rows in order.split(BATCH):
            x, y = scaled(x_train[rows]), y_train[rows]
            logits = model(x)
            loss = functional.cross_entropy(logits, y)
            adam.zero_grad(set_to_none=True)
            loss.backward()
            adam.step()
            with torch.no_grad():  # what Keras shows in its progress line: running loss and accuracy
                loss_sum += loss * len(rows)
                correct += (logits.argmax(1) == y).sum()
        record.epoch_ends(loss_sum.item() / len(x_train))

    with torch.no_grad():
        logits = torch.cat([model(scaled(x)) for x in x_test.split(1000)])
        loss = functional.cross_entropy(logits, y_test).item()
        accuracy = (logits.argmax(1) == y_test).float().mean().item()
    record.evaluated(loss, accuracy, "torch")


main()
