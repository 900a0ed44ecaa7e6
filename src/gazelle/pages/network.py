"""The section on the network: its drawing and the table of its layers."""

from __future__ import annotations

from dataclasses import asdict

from gazelle.pages.charts import chart
from gazelle.pages.markup import Html, details, facts, paragraph, section, table
from gazelle.pages.words import MISSING, count, percent
from gazelle.plots import PAGE, network_figure, shape_text
from gazelle.runs import NetworkInfo


def network_section(network: NetworkInfo) -> Html:
    """How the network is built."""
    words = [
        paragraph(
            "Numbers flow from top to bottom. A layer's name and kind stand on its left, the shape of what it gives and"
            " the number of its parameters on its right; wider boxes give more numbers. Tinted layers have parameters:"
            " the numbers that training adjusts."
        )
    ]
    frozen = network.parameters - network.trainable_parameters
    pairs = [("Layers", f"{len(network.layers):,}"), ("Parameters", f"{network.parameters:,}")]
    if frozen:
        pairs.append(("Kept fixed", f"{frozen:,}"))
    largest = max(network.layers, key=lambda layer: layer.parameters, default=None)
    if largest is not None and largest.parameters:
        share = percent(largest.parameters / max(network.parameters, 1), 0)
        pairs.append(("Largest layer", f"{largest.name}, {share} of the parameters"))
    content = [facts(pairs)]
    if network.layers:
        label = f"Drawing of the network {network.name}: {count(len(network.layers), 'layer')} from top to bottom"
        content.append(chart(network_figure(asdict(network), PAGE), label, "net"))
        content.append(details("The layers as a table", _layers(network)))
    return section("network", "The network", words, content)


def _layers(network: NetworkInfo) -> Html:
    rows = [
        [
            layer.name,
            layer.type,
            shape_text(layer.output_shapes) or MISSING,
            layer.activation or MISSING,
            f"{layer.parameters:,}",
            "yes" if layer.trainable else "no",
            ", ".join(layer.inbound) or MISSING,
        ]
        for layer in network.layers
    ]
    head = ["Layer", "Type", "Output shape", "Activation", "Parameters", "Trainable", "Connected to"]
    return table("Layers of the network", head, rows, class_="layers")
