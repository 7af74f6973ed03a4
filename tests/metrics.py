"""Reading numbers off a metrics page."""

from towerws.core.metrics import Metrics


def read_sample(metrics: Metrics, sample: str) -> float:
    """Read a number off the page.

    Args:
        metrics: What there is.
        sample: A name, with labels if it has any. Labels that come with what is counted may not be
            there yet, which is 0; a name without labels is there from the start, or misspelt.

    Returns:
        The number.
    """
    found = [line for line in metrics.render().splitlines() if line.startswith(f"{sample} ")]
    if not found and sample.endswith("}"):
        return 0
    assert len(found) == 1, f"{sample} is there {len(found)} times"
    return float(found[0].rpartition(" ")[2])
