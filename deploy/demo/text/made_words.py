"""Words that made-up tools are made of; pairs are English and Chinese."""

from collections.abc import Mapping

from deploy.demo.text.sample import Language

CHOICES: Mapping[Language, tuple[tuple[str, ...], ...]] = {
    "en": (
        ("fast", "slow"), ("low", "medium", "high"), ("cm", "inch", "metre"), ("pdf", "csv", "xml"),
        ("left", "right"), ("small", "middle", "large"), ("red", "green", "blue"), ("daily", "weekly"),
    ),
    "zh": (
        ("快", "慢"), ("低", "中", "高"), ("厘米", "英寸"), ("pdf", "csv", "xml"),
        ("左", "右"), ("小号", "中号", "大号"), ("红", "绿", "蓝"), ("每天", "每周"),
    ),
}  # fmt: skip
VERBS = (
    ("find", "查找"), ("open", "打开"), ("send", "发送"), ("check", "检查"), ("create", "创建"),
    ("cancel", "取消"), ("update", "更新"), ("count", "统计"), ("start", "启动"), ("stop", "停止"),
    ("book", "预订"), ("print", "打印"), ("move", "移动"), ("lock", "锁定"), ("list", "列出"),
    ("read", "读取"), ("save", "保存"), ("delete", "删除"), ("rename", "重命名"), ("measure", "测量"),
    ("add", "添加"), ("register", "登记"), ("make", "生成"), ("get", "获取"), ("compute", "计算"),
    ("convert", "换算"), ("show", "显示"), ("archive", "归档"), ("repair", "修理"), ("compare", "比较"),
)  # fmt: skip
NOUNS = (
    ("invoice", "发票"), ("door", "门"), ("ticket", "票"), ("room", "房间"), ("message", "消息"),
    ("engine", "发动机"), ("report", "报告"), ("account", "账户"), ("meeting", "会议"), ("order", "订单"),
    ("lamp", "灯"), ("file", "文件"), ("route", "路线"), ("label", "标签"), ("shelf", "货架"),
    ("tenant", "租客"), ("sensor", "传感器"), ("note", "便条"), ("machine", "机器"), ("stock", "库存"),
    ("supplier", "供应商"), ("value", "数值"), ("garden", "花园"), ("list", "清单"), ("contract", "合同"),
    ("forecast", "预报"), ("song", "歌曲"), ("picture", "图片"), ("user", "用户"), ("bill", "账单"),
)  # fmt: skip
PARAMETERS = (
    ("name", "名字", "string"), ("city", "城市", "string"), ("code", "代码", "string"),
    ("number", "号码", "integer"), ("amount", "数量", "integer"), ("title", "标题", "string"),
    ("owner", "主人", "string"), ("level", "级别", "integer"), ("colour", "颜色", "string"),
    ("target", "目标", "string"), ("minutes", "分钟数", "integer"), ("key", "键", "string"),
    ("label", "标签", "string"), ("size", "大小", "integer"), ("reason", "原因", "string"),
    ("full_name", "全名", "string"), ("company", "公司", "string"), ("place", "地点", "string"),
    ("value", "值", "integer"), ("index", "序号", "integer"), ("year", "年份", "integer"),
    ("price", "价格", "number"), ("weight", "重量", "number"), ("rate", "比率", "number"),
    ("urgent", "紧急", "boolean"), ("public", "公开", "boolean"), ("mode", "模式", "choice"),
    ("format", "格式", "choice"), ("names", "名单", "texts"), ("tags", "标记", "texts"),
    ("numbers", "数字", "integers"), ("pages", "页码", "integers"), ("details", "详情", "object"),
    ("sender", "发件人", "object"), ("query", "查询", "string"), ("style", "风格", "string"),
)  # fmt: skip
CALLED = (("name", "名字"), ("title", "标题"), ("full_name", "全名"), ("label", "标签"), ("called", "名称"))
TOLD = (
    ("description", "描述"),
    ("about", "简介"),
    ("summary", "概要"),
    ("profile", "说明"),
    ("note", "备注"),
)
