"""Addresses for the support desk's conversations, apart by split, in the ways that people write them.

Street names are partly made of syllables, or of any common Chinese character, so that a model must copy them
rather than remember them. ``train`` also holds forms that ``held_out`` has not: in another's care, the town
first, in small letters, without commas, on several lines.
"""

import re
from random import Random

from deploy.demo.text import pools
from deploy.demo.text.parcels import digits, letters, split_of
from deploy.demo.text.sample import Language, Split

_WIDE = 0.3  # of the addresses to train on have a form that held-out ones have not


def _words(block: str) -> list[str]:
    return block.split()


_STREETS = _words("""
Alder Ash Baker Bank Beech Birch Bridge Broad Canal Castle Cedar Chapel Cherry Church Clay Cliff
College Cross Dale Dock Duke East Elm Farm Field Forest Garden George Glen Grange Green Grove
Harbour Hazel High Hill Holly Kent King King's Lake Laurel Lime Linden Long Lower Maple Market Mary
Meadow Mill Mount New North Oak Old Orchard Palace Park Pine Pond Poplar Prince Princess Priory
Quarry Queen Queen's Railway Ridge River Rose Rowan School Silver South Spring Spruce St Station
Stone Sycamore Temple Thorn Tower Union Upper Vale Valley Victoria Water Well West White Willow
Wilson Windsor Wood York
""")
_TYPES = _words("""
Street Street Street Road Road Road Lane Lane Avenue Avenue Drive Close Court Way Place Square
Terrace Crescent Gardens Row Hill Walk St Rd Ave Boulevard Quay Parade
""")
_TOWNS = _words("""
London Leeds Manchester Bristol York Oxford Cambridge Glasgow Edinburgh Cardiff Bath Derby Exeter
Norwich Dublin Cork Galway Belfast Brighton Sheffield Liverpool Birmingham Nottingham Boston Chicago
Seattle Portland Denver Austin Dallas Houston Atlanta Miami Phoenix Toronto Ottawa Montreal
Vancouver Sydney Perth Melbourne Auckland Berlin Hamburg Munich Cologne Vienna Zurich Paris Lyon
Nice Madrid Rome Milan Oslo Brookhaven Eastwick Millbrook Fairview Ashford Northfield Westbury
""")
_STATES = _words("MA IL WA OR CO TX GA FL AZ CA NY OH PA NJ VA MN MI NC")
_ONSETS = _words("b br c ch cl d dr f fl g gr h j k kl l m n p pr qu r s sh sk st t tr v w y z")
_VOWELS = _words("a e i o u ai ea ee o a e ou")
_ENDS = _words("n r l s t m nd rt ck x th")
_TAILS = _words("ton ford ham by field wood burn well stead moor a o er in")

_ZH_CITIES = _words("""
北京市 上海市 天津市 重庆市 广州市 深圳市 杭州市 南京市 苏州市 成都市 武汉市 西安市
长沙市 青岛市 大连市 厦门市 宁波市 郑州市 合肥市 福州市 昆明市 沈阳市 济南市 无锡市
浙江省杭州市 浙江省宁波市 江苏省南京市 江苏省苏州市 广东省广州市 广东省深圳市 广东省佛山市
四川省成都市 湖北省武汉市 湖南省长沙市 陕西省西安市 山东省青岛市 福建省厦门市 北京 上海 广州
深圳 杭州 成都 武汉 南京
""")
_ZH_DISTRICTS = _words("""
朝阳 海淀 东城 西城 丰台 浦东新 徐汇 静安 黄浦 闵行 天河 越秀 海珠 南山 福田 罗湖
宝安 西湖 上城 滨江 余杭 鼓楼 玄武 建邺 秦淮 武侯 锦江 青羊 高新 江汉 武昌 洪山 雁塔
碑林 岳麓 市南 崂山 思明 姑苏 和平
""")
_ZH_STREETS = _words("""
中山 人民 解放 建国 和平 长江 黄河 文化 新华 胜利 民主 光明 友谊 幸福 青年 学院 科技
创业 滨海 湖滨 文三 天目山 延安 淮海 南京 北京 上海 西湖 东风 迎宾 花园 桃园 柳林
松江 梅园 兰亭 竹园 金沙 银河 星光 龙泉 凤凰 白云 红旗 朝晖 望江 临江 清河 石桥 大学
体育 车站 机场 工业 农林 园林
""")
_ZH_TYPES = _words("路 路 路 路 街 街 大街 大道 东路 西路 南路 北路 中路 巷 一路 二路")
_ZH_ESTATES = _words("阳光 翠苑 金色 丽景 锦绣 绿城 和谐 世纪 东方 海棠 碧水 御景 华府 明珠 春江 水岸")
_ZH_ESTATE_TYPES = _words("花园 小区 家园 公寓 新村 苑 广场 大厦")


def _common_characters() -> str:
    """The 3,755 characters of GB 2312's first level, which is ordered by pronunciation."""
    codes = (bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    return b"".join(code for code in codes if code < b"\xd7\xfa").decode("gb2312")


_CHARACTERS = _common_characters()


def address(rng: Random, split: Split, language: Language) -> str:
    """One line of address; now and then in the way of the other language."""
    chinese = (language == "zh") == (rng.random() < 0.92)
    while True:
        if split == "train" and rng.random() < _WIDE:
            drawn = _wide_chinese(rng) if chinese else _wide_english(rng)
        else:
            drawn = _chinese(rng) if chinese else _english(rng)
        if split_of(drawn) == split:
            return drawn


def on_lines(rng: Random, address: str) -> str:
    """``address`` as it stands on an envelope: a line for each of its parts."""
    if not address.isascii() and "," not in address:
        return re.sub("(?<=[省市区]) ?(?=[^，]{4})", "\n", address, count=1 + int(rng.random() * 2))
    return address.replace(", ", rng.choice((",\n", "\n", "\n")))


def _word(rng: Random) -> str:
    """A made-up proper name of two or three syllables, or of pieces of known words."""
    if rng.random() < 0.5:
        return pools.word(rng).capitalize()
    syllables = [rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(rng.randint(1, 2))]
    return ("".join(syllables) + rng.choice(_ENDS) * (rng.random() < 0.6) + rng.choice(_TAILS)).capitalize()


def _english(rng: Random) -> str:
    name = rng.choice(_STREETS) if rng.random() < 0.55 else _word(rng)
    if rng.random() < 0.08:
        name += " " + rng.choice(_STREETS)
    house = str(rng.randint(1, 320)) + (rng.choice("ABCabc") if rng.random() < 0.08 else "")
    street = f"{house} {name} {rng.choice(_TYPES)}"
    town = rng.choice(_TOWNS) if rng.random() < 0.7 else _word(rng)
    form = rng.random()
    if form < 0.34:
        drawn = f"{street}, {town}"
    elif form < 0.42:
        drawn = f"{street}, {town} {_british_code(rng)}"
    elif form < 0.47:
        drawn = f"{street}, {town}, {_british_code(rng)}"
    elif form < 0.57:
        drawn = f"{rng.choice(('Flat', 'Apartment', 'Unit', 'Room'))} {rng.randint(1, 60)}, {street}, {town}"
    elif form < 0.66:
        flat = rng.choice(("", "", f", Apt {rng.randint(1, 40)}", f" #{rng.randint(1, 900)}"))
        drawn = f"{street}{flat}, {town}, {rng.choice(_STATES)} {digits(rng, 5)}"
    elif form < 0.72:
        kind = rng.choice(("straße", "strasse", "weg", "platz", "allee"))
        drawn = f"{_word(rng)}{kind} {house}, {digits(rng, 5)} {town}"
    elif form < 0.76:
        kind = rng.choice(("rue", "via", "calle", "rua"))
        drawn = f"{house} {kind} {rng.choice(('de ', 'du ', 'di ', ''))}{_word(rng)}, {digits(rng, 5)} {town}"
    elif form < 0.82:
        drawn = f"{street}, {town}, {rng.choice(('UK', 'USA', 'Ireland', 'Germany', 'Canada', 'France'))}"
    elif form < 0.86:
        drawn = f"{name} House, {street}, {town}"
    elif form < 0.89:
        drawn = f"{street} {town}"
    else:
        drawn = street
    return drawn.lower() if rng.random() < 0.06 else drawn


def _british_code(rng: Random) -> str:
    area = letters(rng, rng.randint(1, 2)) + str(rng.randint(1, 29))
    return f"{area} {rng.randint(1, 9)}{letters(rng, 2)}"


def _chinese(rng: Random) -> str:
    place = rng.choice(_ZH_CITIES) if rng.random() < 0.85 else ""
    if rng.random() < 0.8:
        place += (rng.choice(_ZH_DISTRICTS) if rng.random() < 0.8 else _han(rng)) + "区"
    street = (rng.choice(_ZH_STREETS) if rng.random() < 0.6 else _han(rng)) + rng.choice(_ZH_TYPES)
    drawn = f"{place}{street}{rng.randint(1, 999)}号"
    form = rng.random()
    room = f"{rng.randint(1, 30)}0{rng.randint(1, 8)}"
    if form < 0.12:
        drawn += f"{rng.randint(1, 30)}号楼{room}室"
    elif form < 0.22:
        drawn += f"{rng.randint(1, 30)}栋{rng.randint(1, 4)}单元{room}"
    elif form < 0.36:
        name = rng.choice(_ZH_ESTATES) if rng.random() < 0.6 else _han(rng)
        drawn += f"{name}{rng.choice(_ZH_ESTATE_TYPES)}{rng.randint(1, 30)}{rng.choice('幢栋座')}{room}室"
    elif form < 0.42:
        drawn += f"{room}室"
    if rng.random() < 0.08:
        drawn = drawn.replace("区", "区 ").replace("市", "市 ")
    return drawn


def _wide_english(rng: Random) -> str:
    """What less orderly people write, and more than a street and a town."""
    name = rng.choice(_STREETS) if rng.random() < 0.5 else _word(rng)
    street = f"{rng.randint(1, 320)}{rng.choice(('', '', '', 'a', 'B', '/2', '-14'))} {name}"
    if rng.random() < 0.85:
        street += f" {rng.choice(_TYPES)}"
    town, code = pools.city(rng, "en", "train"), _british_code(rng)
    end = rng.choice((town, town, f"{town} {code}", f"{town}, {code}", f"{town} {digits(rng, 5)}"))
    door = f"{rng.choice(('Flat', 'flat', 'Apt', 'Unit', 'Room', 'Suite', 'Studio'))} {rng.randint(1, 90)}"
    house = f"{_word(rng)} {rng.choice(('House', 'Court', 'Business Park', 'Hall', 'Mews', 'Hotel', 'Yard'))}"
    who = pools.person(rng, "en", "train") if rng.random() < 0.7 else f"{_word(rng)} Ltd"
    drawn = rng.choice(
        (
            f"{rng.choice(('c/o', 'c/o', 'C/O', 'care of'))} {who}, {street}, {end}",
            f"{door}, {street}, {end}",
            f"{door}{rng.choice(('A', 'b', ''))}, {house}, {street}, {end}",
            f"{door}, {house}, {end}",
            f"{street}, {door.lower()}, {end}",
            f"{rng.choice(('1st', '2nd', '3rd', 'top', 'ground'))} floor, {street}, {end}",
            f"{town}, {street}",
            f"{town} {code}, {street}",
            f"{town}, {street}, {code}",
            f"{code}, {town}, {street}",
            f"{street} {town} {code}",
            f"{street} {town}",
            f"{street} in {town}",
            f"{street}, {_word(rng)}, {end}",
            f"{street}, {town}, {_word(rng)}shire, {code}",
            f"{street}, {end}, {rng.choice(('UK', 'England', 'Scotland', 'Ireland', 'USA', 'Spain'))}",
            f"PO Box {rng.randint(10, 9999)}, {end}",
            f"{house}, {street}, {end}",
        )
    )
    return drawn.lower() if rng.random() < 0.3 else drawn


def _wide_chinese(rng: Random) -> str:
    city, district = rng.choice(_ZH_CITIES), rng.choice(_ZH_DISTRICTS) + "区"
    if rng.random() < 0.4:
        city = _han(rng) + rng.choice(("市", "市", "县"))
    road = (rng.choice(_ZH_STREETS) if rng.random() < 0.5 else _han(rng)) + rng.choice(_ZH_TYPES)
    street = f"{road}{rng.randint(1, 1999)}号"
    estate = (rng.choice(_ZH_ESTATES) if rng.random() < 0.5 else _han(rng)) + rng.choice(_ZH_ESTATE_TYPES)
    room = f"{rng.randint(1, 30)}0{rng.randint(1, 8)}"
    block = f"{rng.randint(1, 30)}{rng.choice(('栋', '号楼', '幢', '座'))}"
    return rng.choice(
        (
            f"{city}{district}{street}{estate}{block}{rng.randint(1, 4)}单元{room}室",
            f"{city}{street}{rng.randint(1, 30)}楼",
            f"{city}{district}{road}{rng.randint(1, 999)}弄{rng.randint(1, 60)}号{room}室",
            f"{city}{_han(rng)}镇{_han(rng)}村{rng.randint(1, 20)}组{rng.randint(1, 99)}号",
            f"{city}，{district}，{street}",
            f"{city} {district} {street} {block}{room}",
            f"{city}{district}{street} {digits(rng, 6)}",
            f"{digits(rng, 6)} {city}{district}{street}",
            f"{street}，{city}",
            f"{estate}{block}{room}，{city}{district}",
            f"{city}{estate}{block}{room}",
            f"{city}{district}{_han(rng)}大学{rng.randint(1, 20)}号宿舍楼{room}",
            f"{city}{district}{street}{_han(rng)}大厦{rng.randint(1, 40)}层",
            f"{city}{district}{street}{rng.choice(('丰巢柜', '菜鸟驿站', '门卫室', '东门', '门诊楼'))}",
            f"{district}{street}{rng.choice(('甲', '附1号', '旁边', ''))}",
            f"{city}{street}，{pools.person(rng, 'zh', 'train')}转交",
        )
    )


def _han(rng: Random) -> str:
    return "".join([_CHARACTERS[int(rng.random() * len(_CHARACTERS))] for _ in range(rng.randint(2, 3))])
