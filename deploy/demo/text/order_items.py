"""How an order writes one item: the count in digits or words, the word that counts, the product."""

from random import Random

from deploy.demo.text import columns, goods, pools
from deploy.demo.text.sample import Language
from deploy.demo.text.words import listed

_CONTAINERS = [  # how one says it of one, and of several
    pair.split("/")
    for pair in listed("""
        box/boxes pack/packs bag/bags bottle/bottles unit/units piece/pieces pair/pairs set/sets
        carton/cartons jar/jars tin/tins can/cans roll/rolls kg/kg kilo/kilos crate/crates
        case/cases tube/tubes sheet/sheets ream/reams tray/trays sack/sacks packet/packets
        bucket/buckets litre/litres metre/metres bundle/bundles bunch/bunches pallet/pallets
        tub/tubs
    """)
]
_ITEM_FORMS = {
    "digits": ("{q} {p}",),
    "times": ("{q} x {p}", "{q}x {p}", "{q} × {p}", "{q} pcs {p}", "{q} pcs. {p}", "{q} * {p}", "{q}× {p}"),
    "of": ("{q} of the {p}", "{q} of your {p}", "{q} of those {p}", "{q} more {p}"),
    "after": (
        "{p} x{q}",
        "{p} x {q}",
        "{p}: {q}",
        "{p} - {q}",
        "{p} ×{q}",
        "{p}, {q} pcs",
        "{p}, quantity {q}",
        "{p} (x{q})",
        "{p}, qty {q}",
        "{p} | {q}",
        "{p} *{q}",
        "{p} – {q}",
        "{p} – {q} pcs",
        "{p} = {q}",
        "{p}, {q} of them",
        "{p}, qty: {q}",
    ),
    "brackets": ("{p} ({q})", "{p} ({q} pcs)"),
}
_ZH_MEASURES = (
    "个个个个个个个个件件件只只台台把把套套张张条条箱箱盒盒包包瓶瓶双双袋袋本支支块块份份"
    "盏罐顶幅根枚桶束卷副打组架辆床串片棵朵盆头匹口壶杯碗板筒捆颗粒株筐提对扎斤克升米部樽听坛摞叠樘扇轮码"
)


_ZH_AFTER = (
    "{q}{m}",
    "：{q}{m}",
    " {q} {m}",
    "，数量{q}",
    " - {q}{m}",
    "要{q}{m}",
    "来{q}{m}",
    "，{q}{m}",
    "，共{q}{m}",
    "数量：{q}",
    "/{q}{m}",
    "*{q}{m}",
)


def style(rng: Random) -> str:
    return pools.pick(
        rng,
        [
            "digits",
            "digits",
            "digits",
            "words",
            "words",
            "times",
            "after",
            "brackets",
            "units",
            "units",
            "of",
        ],
    )


def written(rng: Random, language: Language, product: str, quantity: int, style: str) -> tuple[str, str]:
    """The item as the e-mail writes it, and the product in it."""
    if language == "zh":
        return _zh_item(rng, product, quantity, style), product
    if style not in {"times", "after"} and (quantity > 1 or style in {"units", "of"}) and rng.random() < 0.85:
        product = goods.plural(product)
    if style == "units":
        return f"{_english_count(rng, quantity)} {_container(rng, quantity)} of {product}", product
    if style in _ITEM_FORMS:
        return pools.pick(rng, _ITEM_FORMS[style]).format(p=product, q=quantity), product
    if quantity == 1 and rng.random() < 0.6:
        return f"{'an' if product[0] in 'aeiouAEIOU' else 'a'} {product}", product
    return f"{_english_count(rng, quantity)} {product}", product


_PRICED = {
    "en": (
        *(" at {} each", " @ {}", " at {} apiece", " for {} each", " ({} each)", " à {}", " at €{}"),
        *(" at ${} a piece", " - {} EUR each", ", {} each", " @ £{} ea", " ({} per piece)", " (€{})"),
        *(", unit price {}", " for {} euros apiece", " at a price of {}", " (price: {})", ", {} EUR"),
    ),
    "zh": (
        *("，单价{}元", "，每个{}元", "（单价{}）", "（{}元一个）", "，{}块一个", "@{}", "，一个{}块"),
        *("（每件{}元）", "，{}元一件", "，价格{}元", "（￥{}）", "，每份{}块钱", "，报价{}元", " {}元/个"),
    ),
}
_TOTALS = {
    "en": (", {} in total", " (total {})", ", total: {}", ", that makes {} altogether", " = {} EUR"),
    "zh": ("，合计{}元", "（共{}元）", "，总价{}", "，一共{}块", "，总计￥{}", "，总共{}元"),
}
_CENTS = ("", "", "", ".50", ".90", ".99", ".95", ".20", ".75", ".5")


def price(rng: Random) -> str:
    """What one of something costs, as an e-mail writes it: it is no part of what is ordered."""
    return f"{1 + int(10 ** (rng.random() * 2.6))}{pools.pick(rng, _CENTS)}"


def priced(rng: Random, language: Language) -> tuple[str, str]:
    """How an order writes the price of each item, and its total; ``{}`` stands for the figure."""
    return pools.pick(rng, _PRICED[language]), pools.pick(rng, _TOTALS[language])


def _container(rng: Random, quantity: int) -> str:
    return pools.pick(rng, _CONTAINERS)[quantity > 1]


def _english_count(rng: Random, quantity: int) -> str:
    if quantity == 2 and rng.random() < 0.1:
        return "a couple of"
    if quantity in _DOZENS and rng.random() < 0.4:
        return _DOZENS[quantity]
    if quantity > 99 and (quantity % 50 or rng.random() < 0.3):
        return str(quantity)
    count, draw = columns.english(quantity), rng.random()
    return count.upper() if draw < 0.06 else count.capitalize() if draw < 0.18 else count


_DOZENS = {6: "half a dozen", 12: "a dozen", 24: "two dozen"}


def _zh_item(rng: Random, product: str, quantity: int, style: str) -> str:
    measure = pools.pick(rng, _ZH_MEASURES)
    space = " " if product[0].isascii() else ""
    if style == "words" and (quantity <= 99 or quantity % 50 == 0):
        count = pools.pick(rng, ("两", "两", "俩")) if quantity == 2 else columns.chinese(quantity)
        if count == "俩":
            return f"{count}{space}{product}"
        return f"{count}{measure}{space}{product}"
    if style == "times":
        return f"{product}{pools.pick(rng, [' x ', 'x', '×', ' × ', '*'])}{quantity}"
    if style == "after":
        worded = quantity <= 99 and rng.random() < 0.25
        count = ("两" if quantity == 2 else columns.chinese(quantity)) if worded else str(quantity)
        form = pools.pick(rng, _ZH_AFTER).format(q=count, m=measure)
        return product + form
    if style == "brackets":
        return f"{product}（{quantity}{measure}）" if rng.random() < 0.7 else f"{product}({quantity})"
    return f"{quantity}{measure}{space}{product}" if rng.random() < 0.8 else f"{quantity} {measure}{product}"
