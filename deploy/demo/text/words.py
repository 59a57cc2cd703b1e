"""Written lists of names and places that the pools draw from."""


def listed(block: str) -> list[str]:
    """The words of a block; an underscore stands for a space inside one."""
    return [word.replace("_", " ") for word in block.split()]


GIVEN = listed("""
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
José André René Zoë Chloé Noémie Léa Hélène François Jérôme Björn Jürgen Günther Søren Åsa Łukasz
Małgorzata Ángel Inês Núria Mónica Sinéad Seán Aoibheann Václav Jiří Žofie Ömer Ayşe Gül Đorđe
Mehmet Elif Deepak Sunita Vikram Meera Rahul Ananya Farah Tariq Samira Khalid Noor Ibrahim Abebe
Kwame Thandiwe Zanele Tendai Hiroshi Sakura Haruto Seo-yeon Ji-woo Anh Thao Siti Budi Dewi Ari Nia
Gwen Dylan Ellis Freddie Poppy Daisy Violet Ivy Hazel Iris Dorothy Margaret Barbara Betty Frank
Walter Arthur Albert Ernest Stanley Harold Norman Gerald Keith Trevor Nigel Graham Anne-Marie
Jean-Luc Mary-Jane Ann-Kathrin
""")
FAMILY = listed("""
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
O'Brien O'Connor O'Neill D'Angelo D'Souza McDonald McCarthy MacLeod McGregor Müller Schröder Jäger
Krüger Groß Weiß Köhler Löwe Gómez Núñez Peña Ibáñez Gonçalves Conceição Lefèvre Béranger Dvořák
Černý Svoboda Łukasiewicz Wójcik Kamiński Ødegård Sørensen Bjørnstad Åkesson Öberg Yılmaz Şahin Kaya
Demir Papadopoulos Nikolaidis Chatterjee Mukherjee Banerjee Iyer Nair Reddy Mehta Desai Kapoor
Hussain Rahman Begum Chaudhry Abdullah Okonkwo Nwosu Mbeki Dlamini Tesfaye Diallo Traoré Yamamoto
Nakamura Kobayashi Watanabe Choi Pham Hoang Wijaya Santoso Cruz Reyes Bautista Whitehouse
Featherstone Blackwood Ashworth Pemberton Winterbottom Ramsbottom Hargreaves Sutherland Montgomery
Fitzgerald Abercrombie Drinkwater Goldsmith Butterfield Longbottom Nightingale Birch Elm Rowe Pope
Bishop
""")
PARTICLES = listed("van de von van_der de_la del da dos di al bin ter den van_den zu le du")
TITLES = listed("Mr Mrs Ms Dr Miss Prof. Mr. Mrs. Dr. Sister Father Captain Chef")
TOWN_BEGINNINGS = listed("""
The San Santa Saint New Old Port Fort Mount Great Little North South East West Upper Lower Los Las
La El Le Bad Buenos Rio Puerto Cape Lake Long Grand Hong Kuala Tel Ho Sao Den Novi Nizhny Royal
""")
CITIES = listed("""
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
Málaga Córdoba Cádiz Zürich Köln Düsseldorf Nürnberg Würzburg Tübingen Göteborg Malmö Århus Łódź
Kraków Gdańsk Plzeň Győr Pécs Szeged Timișoara Cluj Bucharest Varna Plovdiv Skopje Tirana Sarajevo
Podgorica Nicosia Reykjavik Tromsø Bodø Stavanger Umeå Västerås Lahti Oulu Tartu Daugavpils Klaipeda
Minsk Lviv Odesa Kyiv Tbilisi Yerevan Baku Ankara Izmir Bursa Antalya Haifa Amman Beirut Doha Dubai
Muscat Riyadh Jeddah Karachi Lahore Dhaka Chittagong Colombo Kandy Kathmandu Chennai Hyderabad
Bangalore Jaipur Bangkok Hanoi Da_Nang Jakarta Surabaya Manila Cebu Penang Ipoh Hobart Darwin
Dunedin Hamilton Suva Honolulu Anchorage Phoenix Tucson Omaha Tulsa Memphis Nashville Detroit
Cleveland Pittsburgh Baltimore Philadelphia Buffalo Rochester Albany Hartford Sacramento Fresno
Oakland Boise Spokane Calgary Edmonton Winnipeg Halifax Regina Monterrey Guadalajara Mérida Havana
San_José Panama Medellín Cali Cusco Arequipa La_Paz Asunción Rosario Salvador Recife Curitiba
São_Paulo Dakar Bamako Abidjan Kumasi Ibadan Kano Kampala Kigali Mombasa Arusha Lusaka Harare
Windhoek Durban Pretoria Casablanca Fez Tunis Alexandria Bath Derby Leicester Nottingham Coventry
Wolverhampton Stoke Preston Blackpool Lancaster Carlisle Durham Sunderland Newcastle Middlesbrough
Hull Lincoln Grimsby Ipswich Colchester Reading Slough Swindon Gloucester Cheltenham Salisbury
Winchester Southampton Portsmouth Bournemouth Truro Falmouth Stirling Inverness Derry Newry
Waterford Kilkenny Sligo Tralee
""")
ZH_CITIES = listed("""
北京 上海 广州 深圳 杭州 南京 苏州 成都 重庆 武汉 西安 天津 长沙 郑州 青岛 大连 沈阳 哈尔滨 长春
济南 合肥 福州 厦门 南昌 昆明 贵阳 南宁 海口 三亚 兰州 西宁 银川 太原 石家庄 呼和浩特 乌鲁木齐 拉萨
宁波 无锡 常州 温州 嘉兴 绍兴 金华 台州 佛山 东莞 珠海 中山 惠州 汕头 泉州 漳州 烟台 威海 潍坊 洛阳
开封 宜昌 襄阳 株洲 岳阳 桂林 柳州 绵阳 乐山 遵义 大理 丽江 扬州 镇江 南通 徐州 芜湖 安庆 九江 赣州
保定 唐山 秦皇岛 大同 包头 吉林 延吉 丹东 香港 澳门 台北 高雄 新加坡 伦敦 巴黎 柏林 东京 大阪 首尔
悉尼 纽约 湖州 衢州 舟山 莆田 肇庆
义乌 昆山 常熟 江阴 张家港 慈溪 余姚 诸暨 温岭 瑞安 晋江 石狮 龙岩 三明 宁德 南平
景德镇 萍乡 上饶 宜春 吉安 抚州 新余 鹰潭 淄博 枣庄 东营 济宁 泰安 日照 临沂 德州
聊城 滨州 菏泽 平顶山 安阳 新乡 焦作 许昌 南阳 商丘 信阳 周口 驻马店 黄石 十堰
荆州 荆门 孝感 黄冈 咸宁 湘潭 衡阳 邵阳 常德 张家界 益阳 郴州 永州 怀化 韶关 湛江
茂名 梅州 清远 潮州 揭阳 云浮 梧州 北海 玉林 百色 攀枝花 泸州 德阳 广元 遂宁 内江
南充 眉山 宜宾 达州 雅安 六盘水 安顺 毕节 铜仁 曲靖 玉溪 保山 昭通 普洱 西双版纳
香格里拉 日喀则 咸阳 宝鸡 渭南 延安 汉中 榆林 安康 天水 嘉峪关 敦煌 张掖 酒泉
格尔木 石嘴山 克拉玛依 喀什 伊宁 哈密 赤峰 通辽 鄂尔多斯 海拉尔 鞍山 抚顺 本溪 锦州
营口 阜新 辽阳 盘锦 铁岭 朝阳 葫芦岛 四平 通化 白山 松原 齐齐哈尔 牡丹江 佳木斯
大庆 伊春 鸡西 漠河 廊坊 沧州 衡水 邢台 邯郸 张家口 承德 阳泉 长治 晋城 朔州 运城
临汾 淮安 盐城 宿迁 连云港 泰州 蚌埠 淮南 马鞍山 铜陵 黄山 滁州 阜阳 宿州 六安
亳州 台南 台中 新竹 基隆 曼谷 吉隆坡 雅加达 马尼拉 河内 迪拜 莫斯科 罗马 马德里
多伦多 温哥华 墨尔本 奥克兰 旧金山 洛杉矶 芝加哥
""")
ZH_DOUBLE_FAMILY = listed("欧阳 上官 司马 诸葛 司徒 东方 皇甫 尉迟 公孙 慕容 令狐 夏侯 端木 南宫 独孤 长孙")
ZH_TITLES = listed("先生 女士 小姐 老师 医生 经理 主任 师傅 阿姨 叔叔 大姐 大哥 同学 校长 总")
ZH_FAMILY = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛"
    "叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔"
    "贺赖龚文"
    "葛奚郎鲁韦昌苗凤花俞柳鲍费廉岑倪滕殷毕邬安乐时皮卞齐伍元卜平和穆湛祁禹狄米贝明臧计伏成谈茅庞纪舒屈项"
    "祝阮蓝闵席季麻强路娄童颜梅盛刁骆樊凌霍虞支柯管莫房裘缪解应宗宣郁单杭洪包左吉钮嵇邢裴荣翁荀惠甄曲封芮"
    "储靳井富巫乌焦巴牧谷车全班仲伊宫宁仇栾甘厉祖符景詹束幸司韶印宿怀蒲卓蔺屠蒙池桑桂牛边燕冀尚农温别庄晏"
    "柴瞿充慕连习艾向古慎戈终居步都耿满弘匡国寇广禄东欧利蔚越隆师巩聂晁勾敖融冷辛那简饶空沙丰关相查荆游竺"
    "权盖益桓公晋楚闫法鄢涂钦岳帅况亢琴墨谯年爱阳佟第五言福代佘苟覃揭隋仝原麦招占扈"
)
ZH_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华建国文辉力玉兰红梅鹏飞雪琴晨宇浩然子涵梓轩欣怡佳"
    "琪思雨诗雅婷俊凯博志远天翔嘉豪若曦梦瑶语嫣一诺可馨桐晓东海燕春林振宏立新永康少波家宝云峰彦霖书航"
    "景行知秋安宁乐清朗悦昕彤蕾薇莹颖倩楠宸睿哲瀚弘毅泽楷铭启正元亮德光世荣福生庆和松柏柳青山川河湖星"
    "月阳晴岚霜"
    "梁栋坤奇璐璇琳瑞珊珍珠瑜瑾琛琬琰瑛璟彬彪斌晖晗晟昊昱旭昂昌昆昭显晶智暄曜朔杉杭枫柯栩桓梧棋森植椿楚榕"
    "樱欢歌毓民沁沐沛泓洁津洪淳淼渊渝温溪滢漫澄澜烁烨焕煜熙爽璧甜畅皓盈真睦祥祺禾秦程稷穗竹笑筠简紫纯绍绮"
    "维绿缘罡羽翎翠耀聪肖胜育舒舟良艺芊芝芮芷芸苇苏苑茂茗茜茵荷莎莉莫莲菁菊菡萌萍萱蓉蓓蓝蔓蕊蕴薪虎虹蝶衡"
    "裕西言许诚谊谦谨贝贤贵越跃路轶达连逸郁鑫钊钧钰铃铮锋锐锦键镇闻阔陶隆雁雄霁霄震非韬韵顺颜风馥骁骏高鸣"
    "鸿鹤麒麟默龙龄杨武斗根厚道本仁义礼信忠孝廉敬业勤俭有余团结喜寿禄长久年岁前进步来去留同学友邻里乡亲金"
    "银铜铁木水火土地人日夜冬夏雷电雾泉湾港桥村田园花草叶果实"
)
ONSETS = listed("b br c ch cl d dr f fl g gr h j k kl l m n p pl pr qu r s sh sl st t th tr v w x y z")
VOWELS = listed("a e i o u a e i o ai ea ee ie oa ou ey")
CODAS = listed("n l r s t m d k x ck nd rt st ll ss th ng rn")
ZH_CALLED = listed(
    "小明 小红 小刚 小丽 小华 小李 小王 小张 老王 老李 妈妈 爸爸 哥哥 姐姐 妹妹 弟弟 爷爷 奶奶 李老师 王阿姨"
)
