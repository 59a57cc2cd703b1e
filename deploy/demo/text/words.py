"""Written lists of names, places and goods that the pools draw from."""


def _words(block: str) -> list[str]:
    """The words of a block; an underscore stands for a space inside one."""
    return [word.replace("_", " ") for word in block.split()]


GIVEN = _words("""
Anna Emma Olivia Sophie Marie Laura Julia Sarah Hannah Lucy Grace Alice Clara Elena Maria Sofia Nina
Eva Ida Freya Ingrid Astrid Greta Helga Petra Monika Katarina Agnes Zofia Ewa Irena Olga Tatiana
Natasha Daria Vera Mila Ana Lucia Carmen Isabel Paula Ines Beatriz Chiara Giulia Francesca Martina
Camille Chloe Manon Elodie Claire Amelie Aoife Niamh Siobhan Fiona Moira Eileen Megan Rhian Carys
James John Peter Paul Tom Thomas David Daniel Mark Luke Simon Andrew Oliver Henry George Edward Jack
Harry Charlie William Ben Samuel Joseph Max Felix Jonas Lukas Leon Finn Karl Otto Hans Dieter Stefan
Markus Lars Erik Nils Sven Bjorn Magnus Henrik Mikkel Pavel Jan Marek Tomasz Piotr Jakub Ivan Dmitri
Sergei Boris Milos Goran Luka Marco Luca Matteo Giovanni Paolo Carlos Miguel Diego Pablo Javier Joao
Tiago Rui Pierre Louis Hugo Antoine Julien Sean Liam Conor Patrick Rory Ewan Owen Gareth Priya Anita
Ravi Arjun Amir Omar Layla Fatima Yusuf Leila Kofi Amara Chidi Ngozi Wei Mei Jing Hao Yuki Kenji
Aiko Min Jisoo Linh Minh Rosa Ruth Robert Michael Emily Jessica Linda Susan Karen Brian Kevin Steve
Alex Sam Chris Jamie Robin Kim Bob Ted Joe Sue Ann Kate Amy Zoe Leah Noah Ethan Mason Logan Ella Ava
Mia
""")
FAMILY = _words("""
Smith Jones Taylor Brown Williams Wilson Johnson Davies Evans Thomas Roberts Walker Wright Robinson
Thompson White Hughes Edwards Green Hall Wood Harris Lewis Martin Jackson Clarke Clark Turner Hill
Cooper Ward Morris Moore Baker Carter Parker Bennett Cook Bailey Bell Shaw Murphy Kelly Ryan Byrne
Doyle Walsh Quinn Campbell Stewart Murray Fraser Reid Grant Morgan Price Rees Muller Schmidt
Schneider Fischer Weber Meyer Wagner Becker Hoffmann Koch Bauer Richter Klein Wolf Neumann Schwarz
Braun Lange Larsen Hansen Olsen Nilsen Berg Lindqvist Svensson Johansson Karlsson Lund Holm Dahl
Virtanen Korhonen Novak Kowalski Nowak Wisniewski Zielinski Horvat Petrov Ivanov Sokolov Popov
Volkov Kovacs Szabo Nagy Rossi Russo Ferrari Bianchi Romano Ricci Marino Greco Garcia Martinez Lopez
Sanchez Perez Gomez Ruiz Moreno Torres Silva Santos Costa Pereira Oliveira Almeida Dubois Laurent
Moreau Lefevre Girard Bonnet Fontaine Mercier Blanc Patel Sharma Singh Khan Gupta Rao Ahmed Hassan
Haddad Okafor Mensah Adeyemi Tanaka Sato Suzuki Kim Park Lee Nguyen Tran Chen Wang Zhang Liu Yang
Huang Lin Wu Zhou Miller King Scott Young Allen Hayes Brooks Foster Gray Long Ross Powell Stone Fox
Marsh Lane Frost Day Nash
""")
TOWN_BEGINNINGS = _words("""
The San Santa Saint New Old Port Fort Mount Great Little North South East West Upper Lower Los Las
La El Le Bad Buenos Rio Puerto Cape Lake Long Grand Hong Kuala Tel Ho Sao Den Novi Nizhny Royal
""")
CITIES = _words("""
London Paris Berlin Madrid Rome Vienna Prague Warsaw Lisbon Dublin Oslo Stockholm Copenhagen
Helsinki Brussels Amsterdam Rotterdam Hamburg Munich Cologne Frankfurt Leipzig Dresden Bremen Zurich
Geneva Basel Bern Milan Turin Naples Florence Venice Bologna Genoa Lyon Marseille Toulouse Bordeaux
Nantes Lille Strasbourg Barcelona Valencia Seville Bilbao Porto Braga Manchester Liverpool Leeds
Bristol York Sheffield Cardiff Swansea Edinburgh Glasgow Aberdeen Dundee Belfast Cork Galway
Limerick Bergen Trondheim Gothenburg Malmo Uppsala Aarhus Odense Turku Tampere Tallinn Riga Vilnius
Kaunas Krakow Gdansk Wroclaw Poznan Brno Bratislava Budapest Ljubljana Zagreb Split Belgrade Sofia
Athens Istanbul Boston Chicago Denver Seattle Portland Austin Dallas Houston Miami Atlanta Toronto
Montreal Vancouver Ottawa Sydney Melbourne Perth Brisbane Auckland Wellington Singapore Tokyo Osaka
Kyoto Seoul Busan Shanghai Beijing Shenzhen Hangzhou Chengdu Nanjing Mumbai Delhi Pune Cairo Nairobi
Lagos Accra Lima Bogota Quito Santiago Oxford Cambridge Exeter Norwich Brighton Plymouth Utrecht
Leiden Delft Ghent Antwerp Bruges Graz Linz Salzburg Innsbruck Bonn Kiel Mainz Ulm Trier Nice Rennes
Dijon Tours Reims New_York San_Francisco Los_Angeles Hong_Kong Cape_Town Buenos_Aires The_Hague
""")
ADJECTIVES = _words("""
blue red green black white grey yellow orange purple brown pink small large wooden steel glass
cotton leather ceramic plastic paper wool linen round square folding portable electric solar organic
roasted dried fresh spicy sweet soft hard heavy light waterproof wireless silver golden copper
bamboo striped mini deluxe classic vintage outdoor kitchen garden office travel thermal digital
magnetic reusable
""")
THINGS = _words("""
mug cup plate bowl fork spoon knife kettle teapot pan pot lamp bulb candle chair table desk shelf
stool mirror clock rug curtain cushion pillow blanket towel shirt sweater jacket coat scarf hat
glove sock shoe boot belt wallet backpack suitcase umbrella bottle flask lunchbox notebook pen
pencil marker stapler folder envelope calendar keyboard mouse monitor cable charger adapter speaker
headset camera tripod battery torch hammer screwdriver drill saw wrench ladder bucket broom hose
rake spade planter vase bicycle helmet pump saddle tent rope racket ball puzzle kite doll printer
router phone tablet toaster blender mixer grinder scale thermometer basket tray jar lantern stove
poster frame brush comb
""")
MASS = _words("""
green_tea black_tea coffee_beans olive_oil honey rice brown_sugar sea_salt oat_flour dark_chocolate
strawberry_jam almonds walnuts raisins pasta tomato_sauce printer_paper hand_soap washing_powder
apple_juice mineral_water dog_food cat_litter potting_soil wood_glue white_paint ink_cartridges
AA_batteries USB_cables paper_clips sticky_notes jasmine_rice peanut_butter maple_syrup face_masks
""")
ZH_CITIES = _words("""
北京 上海 广州 深圳 杭州 南京 苏州 成都 重庆 武汉 西安 天津 长沙 郑州 青岛 大连 沈阳 哈尔滨 长春
济南 合肥 福州 厦门 南昌 昆明 贵阳 南宁 海口 三亚 兰州 西宁 银川 太原 石家庄 呼和浩特 乌鲁木齐 拉萨
宁波 无锡 常州 温州 嘉兴 绍兴 金华 台州 佛山 东莞 珠海 中山 惠州 汕头 泉州 漳州 烟台 威海 潍坊 洛阳
开封 宜昌 襄阳 株洲 岳阳 桂林 柳州 绵阳 乐山 遵义 大理 丽江 扬州 镇江 南通 徐州 芜湖 安庆 九江 赣州
保定 唐山 秦皇岛 大同 包头 吉林 延吉 丹东 香港 澳门 台北 高雄 新加坡 伦敦 巴黎 柏林 东京 大阪 首尔
悉尼 纽约 湖州 衢州 舟山 莆田 肇庆
""")
ZH_ADJECTIVES = _words("""
蓝色 红色 绿色 黑色 白色 灰色 黄色 粉色 紫色 木质 不锈钢 玻璃 纯棉 真皮 陶瓷 塑料 羊毛 亚麻 圆形
方形 折叠 便携 电动 太阳能 有机 加厚 防水 无线 迷你 大号 小号 中号 复古 户外 厨房 办公 旅行 保温
智能 磁吸 可充电 儿童 男士 女士
""")
ZH_THINGS = _words("""
杯子 马克杯 盘子 碗 叉子 勺子 菜刀 水壶 茶壶 平底锅 台灯 灯泡 蜡烛 椅子 桌子 书架 凳子 镜子 闹钟
地毯 窗帘 抱枕 枕头 毛毯 毛巾 衬衫 毛衣 外套 围巾 帽子 手套 袜子 运动鞋 靴子 皮带 钱包 背包 行李箱
雨伞 水瓶 保温杯 饭盒 笔记本 钢笔 铅笔 订书机 文件夹 信封 日历 键盘 鼠标 显示器 数据线 充电器 转接头
音箱 耳机 相机 三脚架 电池 手电筒 锤子 螺丝刀 电钻 扳手 梯子 水桶 扫帚 花盆 花瓶 自行车 头盔 打气筒
帐篷 绳子 球拍 篮球 拼图 风筝 打印机 路由器 手机壳 平板 烤面包机 搅拌机 电子秤 温度计 篮子 托盘 绿茶
红茶 咖啡豆 橄榄油 蜂蜜 大米 巧克力 核桃 葡萄干 面条 矿泉水 打印纸 洗手液 猫粮 狗粮 口罩 床单 沙发
""")
ZH_FAMILY = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛"
    "叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔"
    "贺赖龚文"
)
ZH_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华建国文辉力玉兰红梅鹏飞雪琴晨宇浩然子涵梓轩欣怡佳"
    "琪思雨诗雅婷俊凯博志远天翔嘉豪若曦梦瑶语嫣一诺可馨桐晓东海燕春林振宏立新永康少波家宝云峰彦霖书航"
    "景行知秋安宁乐清朗悦昕彤蕾薇莹颖倩楠宸睿哲瀚弘毅泽楷铭启正元亮德光世荣福生庆和松柏柳青山川河湖星"
    "月阳晴岚霜"
)
ONSETS = _words("b br c ch cl d dr f fl g gr h j k kl l m n p pl pr qu r s sh sl st t th tr v w x y z")
VOWELS = _words("a e i o u a e i o ai ea ee ie oa ou ey")
CODAS = _words("n l r s t m d k x ck nd rt st ll ss th ng rn")
COUNTED = _words("""
apples oranges pears eggs books stamps coins parcels letters cards cookies pencils marbles tickets flowers
trees chickens sheep cows cars bricks photos stickers bottles plants fish boxes points pages songs balloons
sweets tomatoes potatoes lemons bananas cakes sandwiches toys chairs keys buttons stones shells beads tiles
""")
ZH_COUNTED = _words(
    "苹果 梨 橘子 鸡蛋 书 邮票 硬币 包裹 信 卡片 饼干 铅笔 糖果 气球 花 树 鸡 羊 照片 贴纸 玩具 西红柿 土豆"
)
ZH_CALLED = _words(
    "小明 小红 小刚 小丽 小华 小李 小王 小张 老王 老李 妈妈 爸爸 哥哥 姐姐 妹妹 弟弟 爷爷 奶奶 李老师 王阿姨"
)
