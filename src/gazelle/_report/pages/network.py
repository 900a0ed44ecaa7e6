"""The section on the network: its drawing and a table of its layers."""

from __future__ import annotations

from dataclasses import asdict

from gazelle._plots import PAGE, can_be_drawn, network_figure, shape_text
from gazelle._report.pages.charts import chart
from gazelle._report.pages.markup import Html, details, facts, paragraph, section, table, tag
from gazelle._report.pages.words import MISSING, count, percent
from gazelle._report.schema import NetworkInfo

_MOST_ROWS = 300


def network_section(network: NetworkInfo) -> Html:
    """The structure of the network."""
    words = [
        paragraph(
            "Data flows from top to bottom. To the left of a layer are its name and type, to the"
            " right its output shape and number of parameters. Wider boxes have larger outputs."
            " Tinted layers have parameters, the numbers that training adjusts."
        )
    ]
    frozen = network.parameters - network.trainable_parameters
    layers = network.rows if network.rows is not None else len(network.layers)
    pairs = [("Layers", f"{layers:,}"), ("Parameters", f"{network.parameters:,}")]
    if frozen:
        pairs.append(("Not trainable", f"{frozen:,}"))
    largest = max(network.layers, key=lambda layer: layer.parameters, default=None)
    if largest is not None and largest.parameters:
        share = percent(largest.parameters / max(network.parameters, 1), 0)
        pairs.append(("Largest layer", f"{largest.name}, {share} of the parameters"))
    content = [facts(pairs)]
    if network.layers:
        content.append(_drawing(network))
        content.append(details("The layers as a table", _layers(network)))
    return section("network", "The network", words, content)


def _drawing(network: NetworkInfo) -> Html:
    description = asdict(network)
    layers = count(len(network.layers), "layer")
    if not can_be_drawn(description["layers"]):
        return tag("p", f"{layers} are too many for a drawing.", class_="finding")
    label = f"Drawing of the network {network.name}: {layers} from top to bottom"
    return chart(network_figure(description, PAGE), label, "net")


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
        for layer in network.layers[:_MOST_ROWS]
    ]
    head = [
        "Layer",
        "Type",
        "Output shape",
        "Activation",
        "Parameters",
        "Trainable",
        "Connected to",
    ]
    caption = "Layers of the network"
    if len(network.layers) > _MOST_ROWS:
        caption += f": the first {_MOST_ROWS} of {len(network.layers):,}; all are in network.json"
    return table(caption, head, rows, class_="layers")
