"""What pricing a call costs in CPU: genai-prices asked for each call, and its rates multiplied here, in one run.

    python benchmarks/prices.py [--calls 2000] [--rounds 5]

A call's worst case is priced before it leaves (all input new, or all written to the cache; at each tier listed), its
bill when it is answered. Tokens differ from call to call; the best of the rounds, taken in turn, is printed.
"""

import argparse
import time
from collections.abc import Callable

from genai_prices import Usage as BilledUsage
from genai_prices import calc_price

from datasynth.schemas.calls import Usage
from datasynth.tasks.llm.prices import Price, listed_price

MODELS = [("claude-sonnet-5-5", "anthropic"), ("gpt-5.4-mini", "openai"), ("deepseek-chat", "deepseek")]


def asked(price: Price, calls: int) -> None:
    """Each call's bill, as genai-prices calculates it."""
    for i in range(calls):
        usage = BilledUsage(input_tokens=1000 + i, output_tokens=500, cache_read_tokens=0, cache_write_tokens=0)
        assert calc_price(usage, price.model, provider_id=price.provider).total_price > 0


def billed(price: Price, calls: int) -> None:
    """Each call's bill, as a run has it."""
    for i in range(calls):
        assert price.cost(Usage(input=1000 + i, output=500)) > 0


def bounded(price: Price, calls: int) -> None:
    """Each call's worst case, as a run has it."""
    for i in range(calls):
        assert price.worst(1000 + i, 500) > 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each, of which the best counts")
    options = parser.parse_args()
    ways: list[Callable[[Price, int], None]] = [asked, billed, bounded]
    for model, provider in MODELS:
        price = listed_price(model, provider)
        if price is None:
            raise SystemExit(f"{model}: not listed")
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(options.rounds):
            for way in ways:
                began = time.process_time()
                way(price, options.calls)
                best[way] = min(best[way], time.process_time() - began)
        each = {way.__name__: 1e6 * seconds / options.calls for way, seconds in best.items()}
        print(
            f"{model:18} genai-prices {each['asked']:6.1f} µs CPU a call; here a bill {each['billed']:5.1f} µs, "
            f"1/{best[asked] / best[billed]:.0f} of it, and a worst case {each['bounded']:5.1f} µs"
        )


if __name__ == "__main__":
    main()
