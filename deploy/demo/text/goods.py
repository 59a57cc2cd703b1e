"""Written lists of goods and of what is said about them; goods that are counted in sums; plurals."""

from deploy.demo.text.words import listed

ADJECTIVES = listed("""
blue red green black white grey yellow orange purple brown pink small large wooden steel glass
cotton leather ceramic plastic paper wool linen round square folding portable electric solar organic
roasted dried fresh spicy sweet soft hard heavy light waterproof wireless silver golden copper
bamboo striped mini deluxe classic vintage outdoor kitchen garden office travel thermal digital
magnetic reusable
beige turquoise navy crimson transparent matte glossy oak pine walnut marble rubber nylon velvet
silk felt denim canvas cork iron brass aluminium titanium concrete extra-large medium-sized
heavy-duty long-sleeved non-stick hand-made self-adhesive double-sided stainless_steel cast-iron
left-handed gluten-free unscented scented frozen smoked salted unsalted pickled crunchy ripe whole
ground vegan low-fat cordless adjustable foldable inflatable padded insulated lined hooded quilted
knitted embroidered polished carved framed engraved refillable compostable recycled dimmable
wall-mounted rechargeable wide narrow tall short thick thin tiny giant king-size spare second-hand
professional industrial disposable antique rustic modern children's men's women's baby
""")
THINGS = listed("""
mug cup plate bowl fork spoon knife kettle teapot pan pot lamp bulb candle chair table desk shelf
stool mirror clock rug curtain cushion pillow blanket towel shirt sweater jacket coat scarf hat
glove sock shoe boot belt wallet backpack suitcase umbrella bottle flask lunchbox notebook pen
pencil marker stapler folder envelope calendar keyboard mouse monitor cable charger adapter speaker
headset camera tripod battery torch hammer screwdriver drill saw wrench ladder bucket broom hose
rake spade planter vase bicycle helmet pump saddle tent rope racket ball puzzle kite doll printer
router phone tablet toaster blender mixer grinder scale thermometer basket tray jar lantern stove
poster frame brush comb
T-shirt hoodie dress skirt blouse apron tie bow_tie cardigan swimsuit raincoat sandal slipper
trainer sneaker bracelet necklace earring ring watch handbag tote_bag purse keyring sunhat beanie
headband hairbrush toothbrush razor soap_dish bath_mat shower_curtain bin laundry_basket clothes_peg
ironing_board iron hairdryer vacuum_cleaner mop sponge duster dustpan cloth doormat coat_hanger
bookend bookcase wardrobe armchair sofa bed mattress bedside_table cot pram car_seat high_chair bib
rattle teddy_bear jigsaw board_game chess_set yo-yo skipping_rope football basketball tennis_ball
cricket_bat golf_club fishing_rod sleeping_bag rucksack water_bottle compass whistle bicycle_pump
bike_lock tyre inner_tube spanner pliers chisel hacksaw nail screw bolt hinge hook bracket
paintbrush paint_roller sandpaper_sheet tape_measure spirit_level toolbox padlock doorbell
smoke_alarm light_switch plug fuse extension_lead power_bank USB_stick memory_card hard_drive laptop
webcam microphone turntable guitar violin ukulele drum flute music_stand easel sketchbook crayon
paint_set highlighter ruler eraser sharpener hole_punch paper_tray whiteboard noticeboard desk_lamp
filing_cabinet lectern projector name_badge lanyard ticket_roll till_roll cash_box saucepan
frying_pan casserole baking_tray cake_tin rolling_pin whisk ladle spatula colander sieve grater
peeler tin_opener corkscrew chopping_board salad_bowl soup_bowl wine_glass tumbler jug teaspoon
egg_cup napkin tablecloth placemat coaster thermos coffee_machine rice_cooker slow_cooker juicer
waffle_iron pizza_stone barbecue parasol deckchair hammock bird_feeder watering_can wheelbarrow
flowerpot seed_tray lawnmower hedge_trimmer garden_fork trowel greenhouse shed fence_panel
birthday_card gift_bag wreath garland bauble snow_globe photo_frame canvas_print apple pear orange
lemon lime banana mango melon pineapple coconut tomato potato onion carrot cabbage pumpkin pepper
cucumber aubergine avocado egg loaf baguette croissant muffin pie pizza sausage burger cheese_wheel
lollipop chocolate_bar biscuit pancake fish_finger crab lobster
""")
MASS = listed("""
green_tea black_tea coffee_beans olive_oil honey rice brown_sugar sea_salt oat_flour dark_chocolate
strawberry_jam almonds walnuts raisins pasta tomato_sauce printer_paper hand_soap washing_powder
apple_juice mineral_water dog_food cat_litter potting_soil wood_glue white_paint ink_cartridges
AA_batteries USB_cables paper_clips sticky_notes jasmine_rice peanut_butter maple_syrup face_masks
flour white_flour self-raising_flour caster_sugar icing_sugar baking_powder yeast salt black_pepper
cinnamon paprika turmeric curry_powder vanilla_extract soy_sauce vinegar balsamic_vinegar mustard
ketchup mayonnaise butter margarine milk oat_milk cream yoghurt cheddar mozzarella parmesan tofu
bread sourdough oats muesli cornflakes couscous quinoa lentils chickpeas kidney_beans black_beans
basmati_rice spaghetti noodles ramen coffee instant_coffee decaf_coffee cocoa hot_chocolate
chamomile_tea earl_grey lemonade orange_juice sparkling_water tap_water red_wine white_wine beer
cider gin rum popcorn crisps pretzels cashews pistachios hazelnuts peanuts sunflower_seeds
pumpkin_seeds dried_apricots dates prunes marmalade raspberry_jam lemon_curd golden_syrup toothpaste
shampoo conditioner shower_gel body_lotion sunscreen hand_cream face_cream lip_balm perfume
deodorant shaving_foam cotton_wool plasters bandages disinfectant bleach washing-up_liquid
fabric_softener floor_cleaner kitchen_roll toilet_paper tissues bin_bags cling_film tin_foil
baking_paper string twine wool yarn fabric ribbon wrapping_paper brown_paper masking_tape duct_tape
parcel_tape bubble_wrap superglue grout plaster cement sand gravel topsoil compost grass_seed
fertiliser birdseed fish_food straw hay firewood charcoal briquettes lamp_oil engine_oil antifreeze
screenwash varnish wood_stain primer turpentine scissors tweezers trousers jeans shorts leggings
tights pyjamas sunglasses binoculars headphones earplugs chopsticks candle_holders tea_towels
rubber_bands drawing_pins staples A4_paper graph_paper photo_paper toner AAA_batteries HDMI_cables
LED_bulbs M6_screws
""")
SIZES = listed("""
A4 A5 A3 XL XXL size_M size_42 500ml 750ml 2-litre 10-inch 24-inch 64GB 1TB 60W 9V 12V M8 2m 5m 330ml 1kg
250g 4K queen-size single double triple-pack 8-port USB-C HDMI LED Wi-Fi 2B HB
""")
ZH_ADJECTIVES = listed("""
蓝色 红色 绿色 黑色 白色 灰色 黄色 粉色 紫色 木质 不锈钢 玻璃 纯棉 真皮 陶瓷 塑料 羊毛 亚麻 圆形
方形 折叠 便携 电动 太阳能 有机 加厚 防水 无线 迷你 大号 小号 中号 复古 户外 厨房 办公 旅行 保温
智能 磁吸 可充电 儿童 男士 女士
米色 咖啡色 深蓝色 浅灰色 透明 金色 银色 红木 实木 竹制 铁艺 铝合金 硅胶 橡胶 牛皮
真丝 棉麻 法兰绒 珊瑚绒 羽绒 加绒 加长 加大 超大 超薄 轻便 防滑 防晒 防风 防摔
隔热 静音 自动 手动 手工 定制 进口 国产 家用 商用 车载 壁挂 桌面 双层 三层 单人
双人 一次性 可降解 可水洗 免打孔 无糖 低脂 原味 香辣 五香 麻辣 冷冻 新鲜 散装 袋装
罐装 瓶装 精装 平装 特级 老式 北欧 中式 日式 简约 学生 老年 婴儿 宠物 圣诞 春节
高清 蓝牙 数码 充电式 感应
""")
ZH_THINGS = listed("""
杯子 马克杯 盘子 碗 叉子 勺子 菜刀 水壶 茶壶 平底锅 台灯 灯泡 蜡烛 椅子 桌子 书架 凳子 镜子 闹钟
地毯 窗帘 抱枕 枕头 毛毯 毛巾 衬衫 毛衣 外套 围巾 帽子 手套 袜子 运动鞋 靴子 皮带 钱包 背包 行李箱
雨伞 水瓶 保温杯 饭盒 笔记本 钢笔 铅笔 订书机 文件夹 信封 日历 键盘 鼠标 显示器 数据线 充电器 转接头
音箱 耳机 相机 三脚架 电池 手电筒 锤子 螺丝刀 电钻 扳手 梯子 水桶 扫帚 花盆 花瓶 自行车 头盔 打气筒
帐篷 绳子 球拍 篮球 拼图 风筝 打印机 路由器 手机壳 平板 烤面包机 搅拌机 电子秤 温度计 篮子 托盘 绿茶
红茶 咖啡豆 橄榄油 蜂蜜 大米 巧克力 核桃 葡萄干 面条 矿泉水 打印纸 洗手液 猫粮 狗粮 口罩 床单 沙发
T恤 牛仔裤 短裤 连衣裙 半身裙 羽绒服 棉衣 风衣 西装 领带 睡衣 内衣 雨衣 雨鞋 拖鞋
凉鞋 皮鞋 高跟鞋 童鞋 手表 手链 项链 耳环 戒指 发卡 太阳镜 老花镜 双肩包 手提包
公文包 帆布袋 购物袋 牙刷 牙膏 洗发水 沐浴露 洗面奶 面霜 护手霜 防晒霜 口红 香水
香皂 洗衣粉 洗衣液 洗洁精 消毒液 酒精 棉签 创可贴 纱布 体温计 血压计 纸巾 卷纸 湿巾
垃圾袋 保鲜膜 保鲜盒 抹布 拖把 垃圾桶 衣架 晾衣架 熨斗 吹风机 吸尘器 扫地机器人
空气净化器 加湿器 电风扇 取暖器 空调 冰箱 洗衣机 微波炉 电饭煲 电磁炉 豆浆机 榨汁机
咖啡机 电水壶 高压锅 炒锅 砂锅 汤锅 蒸笼 锅铲 菜板 砧板 筷子 汤勺 碟子 汤碗 茶杯
茶叶罐 酒杯 玻璃杯 开瓶器 餐巾 桌布 餐垫 餐桌 餐椅 茶几 书桌 电脑桌 办公椅 转椅
衣柜 鞋柜 书柜 床 床垫 床头柜 被子 被套 枕套 蚊帐 凉席 坐垫 门垫 浴巾 浴帘 牙刷架
置物架 挂钩 收纳箱 收纳盒 纸箱 胶带 胶水 剪刀 美工刀 尺子 橡皮 卷笔刀 圆珠笔 签字笔
中性笔 毛笔 墨水 荧光笔 记号笔 白板 白板笔 便利贴 作业本 练习册 字典 绘本 漫画书
杂志 地图 地球仪 算盘 计算器 书包 文具盒 相框 画框 油画 颜料 画笔 吉他 钢琴 二胡
笛子 口琴 小提琴 鼓 电脑 笔记本电脑 平板电脑 手机 充电宝 U盘 移动硬盘 内存条 显卡
主板 摄像头 麦克风 投影仪 电视机 机顶盒 遥控器 插座 插线板 开关 灯管 落地灯 吊灯
小夜灯 门锁 挂锁 钥匙扣 螺丝 钉子 钳子 卷尺 水平仪 油漆 刷子 砂纸 水管 水龙头 花洒
马桶刷 瓷砖 木板 水泥 沙子 花种 肥料 营养土 喷壶 铲子 割草机 盆栽 绿萝 多肉 玫瑰
百合 康乃馨 圣诞树 灯笼 对联 红包 鞭炮 气球 彩带 贺卡 蛋糕 面包 饼干 月饼 粽子
汤圆 饺子 包子 馒头 油条 豆腐 鸡蛋 鸭蛋 牛奶 酸奶 奶粉 黄油 奶酪 面粉 糯米 小米
绿豆 红豆 黄豆 花生 瓜子 腰果 开心果 杏仁 红枣 枸杞 桂圆 木耳 香菇 银耳 海带 紫菜
虾皮 腊肉 香肠 火腿 牛肉干 鱼罐头 苹果 香蕉 橙子 橘子 葡萄 西瓜 哈密瓜 草莓 樱桃
芒果 菠萝 荔枝 龙眼 柚子 柠檬 猕猴桃 石榴 火龙果 土豆 西红柿 黄瓜 茄子 白菜 萝卜
洋葱 大蒜 生姜 辣椒 南瓜 玉米 酱油 醋 食盐 白糖 红糖 味精 料酒 花椒 八角 辣椒酱
豆瓣酱 芝麻油 菜籽油 花生油 白酒 红酒 啤酒 黄酒 果汁 可乐 豆浆 乌龙茶 普洱茶 铁观音
龙井茶 茉莉花茶 咖啡粉 方便面 挂面 粉丝 米线 薯片 糖果 口香糖 冰淇淋 果冻 话梅
篮球鞋 足球 排球 乒乓球 羽毛球 网球拍 跳绳 哑铃 瑜伽垫 跑步机 泳衣 泳镜 救生圈 滑板
轮滑鞋 睡袋 登山杖 望远镜 指南针 钓鱼竿 积木 玩偶 遥控车 魔方 象棋 围棋 扑克牌 麻将
婴儿车 奶瓶 纸尿裤 安全座椅 猫砂 猫抓板 狗绳 鱼缸 鸟笼 轮胎 机油 行车记录仪 雨刷
""")
ZH_SIZES = listed("""
A4 A3 B5 USB LED 5号 7号 XL码 M码 42码 均码 500毫升 1.5升 250克 5斤装 10斤装 64G 1T 16寸 24寸 55英寸
两米 一米五 12V 60瓦 大包
""")
COUNTED = listed("""
apples oranges pears eggs books stamps coins parcels letters cards cookies pencils marbles tickets flowers
trees chickens sheep cows cars bricks photos stickers bottles plants fish boxes points pages songs balloons
sweets tomatoes potatoes lemons bananas cakes sandwiches toys chairs keys buttons stones shells beads tiles
""")
ZH_COUNTED = listed(
    "苹果 梨 橘子 鸡蛋 书 邮票 硬币 包裹 信 卡片 饼干 铅笔 糖果 气球 花 树 鸡 羊 照片 贴纸 玩具 西红柿 土豆"
)


_MASS = {name.lower() for name in MASS}
_PLURALS = {
    "mouse": "mice",
    "knife": "knives",
    "shelf": "shelves",
    "scarf": "scarves",
    "loaf": "loaves",
    "tomato": "tomatoes",
    "potato": "potatoes",
    "mango": "mangoes",
}


def plural(name: str) -> str:
    """``name`` as one says it of several; a mass noun, a plural and a code stay as they are."""
    head, _, last = name.rpartition(" ")
    if name.lower() in _MASS or not last.isalpha() or (last.endswith("s") and not last.endswith("ss")):
        return name
    if last in _PLURALS:
        ending = _PLURALS[last]
    elif last.endswith(("ss", "x", "ch", "sh", "z")):
        ending = last + "es"
    elif last.endswith("y") and last[-2] not in "aeiou":
        ending = last[:-1] + "ies"
    else:
        ending = last + "s"
    return f"{head} {ending}" if head else ending
