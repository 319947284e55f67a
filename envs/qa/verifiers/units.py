"""Units of measure: a table of dimensions and exact factors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

from saccade.envs.qa.verifiers.verdict import lower

_SCALES: Mapping[str, Mapping[str, str]] = {
    "length": {
        "mm millimeter millimetre": "1/1000",
        "cm centimeter centimetre": "1/100",
        "dm decimeter decimetre": "1/10",
        "m meter metre": "1",
        "km kilometer kilometre": "1000",
        "in inch inches": "254/10000",
        "ft foot feet": "3048/10000",
        "yd yard": "9144/10000",
        "mi mile": "1609344/1000",
    },
    "volume": {"ml mL milliliter millilitre": "1/1000000", "l L liter litre": "1/1000"},
    "mass": {
        "mg milligram": "1/1000000",
        "g gram": "1/1000",
        "kg kilogram": "1",
        "t ton tonne": "1000",
        "oz ounce": "28349523125/1000000000000",
        "lb lbs pound": "45359237/100000000",
    },
    "time": {
        "ms millisecond": "1/1000",
        "s sec second": "1",
        "min minute": "60",
        "h hr hour": "3600",
        "d day": "86400",
        "week": "604800",
    },
    "speed": {"m/s mps": "1", "km/h kmh kph": "5/18", "mph mi/h": "44704/100000"},
    "angle": {"° deg degree": "1"},
    "share": {"% percent pct": "1/100"},
    "force": {"mN": "1/1000", "N newton": "1", "kN": "1000"},
    "energy": {"J joule": "1", "kJ kilojoule": "1000", "MJ": "1000000", "kWh": "3600000", "eV": "0", "cal": "0"},
    "power": {"mW": "1/1000", "W watt": "1", "kW kilowatt": "1000", "MW": "1000000"},
    "voltage": {"mV": "1/1000", "V volt": "1", "kV": "1000"},
    "current": {"mA": "1/1000", "A amp ampere": "1"},
    "resistance": {"Ω ohm": "1", "kΩ": "1000"},
    "frequency": {"Hz hertz": "1", "kHz": "1000", "MHz": "1000000", "GHz": "1000000000"},
    "pressure": {"Pa pascal": "1", "kPa": "1000", "bar": "100000"},
    "dollar": {"$ dollar USD": "1", "cent ¢": "1/100"},
    "euro": {"€ euro EUR": "1"},
    "pound sterling": {"£ GBP": "1"},
}
_MARKUP = re.compile(r"\\(?:text|mathrm|rm|,|;|!|:| )|[{}^~]")
_POWERS = {"square ": "2", "sq ": "2", "sq. ": "2", "cubic ": "3", "cu ": "3"}


def _table() -> dict[str, tuple[str, Fraction]]:
    units = {}
    for dimension, scale in _SCALES.items():
        for names, factor in scale.items():
            if factor == "0":  # known only as itself
                continue
            for name in names.split():
                words = [name] if len(name) < 3 or name.endswith("s") else [name, f"{name}s"]
                for word in words:
                    units[word] = dimension, Fraction(factor)
                    if dimension == "length":
                        units[f"{word}2"] = "area", Fraction(factor) ** 2
                        units[f"{word}3"] = "volume", Fraction(factor) ** 3
    return units


UNITS: Mapping[str, tuple[str, Fraction]] = _table()
"""A unit's name -> its dimension and how many of the dimension's base unit it is."""


@lru_cache(maxsize=4096)
def unit_name(text: str) -> str:
    r"""The unit as the table spells it, where it knows it: `\text{ cm}^2`, `cm²` and `square cm` are `cm2`."""
    text = text.replace("^\\circ", "°").replace("^{\\circ}", "°").replace("\\circ", "°").replace("\\degree", "°")
    text = text.replace("\\%", "%").replace("\\$", "$").replace("²", "2").replace("³", "3")
    name = " ".join(_MARKUP.sub(" ", text).split()).removesuffix(".")
    name = re.sub(r" (?=[23]\b)", "", name)
    for words, power in _POWERS.items():
        if lower(name).startswith(words):
            name = name[len(words) :] + power
    if name in UNITS:
        return name
    small = lower(name)
    return small if len(small) > 2 else name


def convert(value: Fraction, unit: str, wanted: str) -> Fraction | None:
    """The value in another unit; `None` where the two measure different things."""
    if unit == wanted:
        return value
    have, want = UNITS.get(unit), UNITS.get(wanted)
    if have is None or want is None or have[0] != want[0]:
        return None
    return value * have[1] / want[1]
