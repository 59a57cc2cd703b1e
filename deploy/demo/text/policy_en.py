"""The rules for refunds and customs in English: for every fact its questions and its one answer."""

from __future__ import annotations

from deploy.demo.text.grammar import Grammar

_RULES: dict[str, str] = {
    "goods": "goods|an item|a product|an order|something|my order|a purchase|my item|a parcel|clothes|shoes",
    "it": "it|my order|the item|an item|the goods|my parcel|a parcel|the parcel|the product|my purchase",
    "money": "money|refund|money back",
    "open": "|||||||hi, |hello, |hello. |hi! |hey, |good morning, |good afternoon. |excuse me, |quick question: |a question: |one question: |please tell me: |sorry, |hey |ok, |and |dear team, |just wondering, |also, ",
    "close": "|||||||||| thanks.| thank you.| thanks in advance.| cheers.| please let me know.| thanks!| many thanks.| just curious.",
    "tell": """
[can|could] you [please |][tell me|explain|explain to me|let me know]
please [tell me|explain|let me know]
[I would like|I'd like|I want|I need] to know
[do you know|tell me|I was wondering|I wonder|any idea|I'm not sure]
""",
    "refund_window_q": """
[how long|until when|how many days] [do I have|have I got|is there] to [ask for|request|claim|get] a refund?
[how long|until when|how many days] [after delivery|after it arrives|after I get it|] can I [return|send back|give back] <it>?
[what is|what's|how long is|when does] the [refund|return|returns] [window|period|deadline|time limit|policy][| end]?
[can I|could I|am I able to|may I] [still|] [return|get a refund for|send back|get my money back for] <it> [after|that I bought|I got|delivered] [two weeks|ten days|a month|40 days|three weeks|a week|20 days|50 days][| ago| later]?
<it> [came|arrived|was delivered] [two weeks|ten days|a month|three weeks|a week|40 days] ago, [can I still return it|can I still get a refund|is it too late for a refund|is a refund possible]?
[is it|is it already|am I] too late [to return|for a refund of|to send back|to get a refund for] <it>?
<tell> [how long|until when|within how many days] I can [return <it>|ask for a refund|get a refund|get my money back|send <it> back].
[within how many days|in what time|how soon|by when] [must I|do I have to|should I|can I] [return|send back|bring back] <it>?
[can I|may I|is it possible to|how can I|I want to|I would like to|I'd like to] [get a refund|have a refund|get my money back|return <it>|ask for a refund|be refunded][| please]?
[I want|I need|I would like|give me|please give me] [a refund|my money back][| for <it>][| please].
[I changed my mind|I don't like it|I don't want it any more|it doesn't fit|I no longer need it][.|,] [can I return it|can I get a refund|can I send it back|how do I get my money back]?
[refund|return|returns] [window|deadline|period|policy|time limit|days][?|]
what [are|is] [your|the] [refund|return] [rules|policy|terms|conditions]?
do you [give|offer|allow] [refunds|returns|money back]?
""",
    "refund_time_q": """
[when|how soon|how fast|how quickly] [will|do|can] I [get|receive|see] my [money|refund|money back]?
[when|how soon] [will|does] [the|my] [money|refund] [arrive|come|be paid|get here|be on my card|reach my account]?
how long does [a|the|my] refund take[| to arrive| to be paid| to process]?
how [many|many working] days [until|before|till] [I get my money|the refund is paid|my refund comes|the money is back]?
I [sent it back|returned it|returned my order|returned the goods] [a week ago|last week|yesterday|on monday][, when|. when|, and when] [do I get my money|will I be refunded|is the money coming|will I get the refund]?
where is my [refund|money]?
I'm [still |]waiting for my [refund|money].
[to which|on which|to what] [card|account] [is|will] the [refund|money] [paid|be paid|go|sent|returned]?
[how|in what way|where] [is|will] the [refund|money] [paid|be paid|sent|be returned|paid out]?
[do I get|will I get|is] the refund [on|to] my [card|bank account|credit card|paypal]?
<tell> [when the refund is paid|how long a refund takes|when I get my money back|when my money comes|how the refund is paid].
[refund|refund payment|money back] [time|duration|how long|when|status][?|]
has my refund been [paid|sent|processed]?
""",
    "refund_damaged_q": """
[can I|do I|will I|could I] get [a refund|my money back|a full refund|money back] [for|if I got|if I receive] [damaged|broken|faulty|defective|smashed] [goods|items|things|products]?
[what if|what happens if|what do I do if|what about when] [<it> arrives|<it> comes|<it> is|my order is] [damaged|broken|faulty|defective|smashed]?
[are|do you refund] [damaged|broken|faulty|defective] [goods|items|products] [refunded|fully]?
[is|are] [damaged|broken|faulty] goods [refunded|covered|paid back][| in full]?
[how much|what] do I get [back|refunded] [for|if] [a broken item|damaged goods|the item is broken|it is damaged|something broke in transit]?
do you [refund|pay back|compensate|pay for] [broken|damaged|faulty|defective] [goods|items|products|things|parcels]?
the [vase|cup|screen|item|product|glass] [is|was|arrived] [broken|damaged|faulty][, do I get my money back|. is it refunded|, can I have a refund|. do I get a refund|, will you refund it]?
[must|do|should] I [send|show|take] [a photo|photos|a picture|pictures|proof] of [the damage|the broken item|damaged goods]?
<tell> [if damaged goods are refunded|what happens with damaged goods|if I get money for a broken item|how refunds work for damaged items].
[refund|money back] for [damaged|broken|faulty|defective] [goods|items|item|product][?|]
""",
    "refund_shipping_q": """
[is|are|do you refund|will you refund|do I get back] the [shipping|delivery|postage] [fee|cost|costs|charge|charges][| refunded| paid back| included| as well| too]?
[do I|will I|can I] get [the|my] [shipping|delivery|postage] [fee|cost|costs|charge|money] [back|refunded]?
do you [refund|return|pay back|give back] [shipping|postage|delivery|the shipping fee|the postage|delivery costs]?
[is|are] [shipping|postage|delivery|delivery costs|shipping costs] [refundable|refunded|included in the refund|part of the refund]?
what about the [shipping|delivery|postage] [fee|cost|costs|charges][| if I return it| when I return something]?
[does|will] [the|a|my] refund [include|cover] [shipping|the shipping fee|delivery|postage|the delivery fee]?
[who pays|what happens to] the [original |][shipping|postage|delivery] [fee|cost|costs] [when I return it|if I return <it>|with a refund|in a refund]?
I paid [5|10|12|8] euros for [shipping|delivery|postage][, do I get that back|. is that refunded|, will that be refunded too]?
<tell> [if shipping is refunded|if the postage is refunded|whether I get the shipping fee back|if delivery costs are refundable].
[shipping|postage|delivery] [fee|cost|costs] [refund|refundable|back][?|]
""",
    "refund_label_q": """
[is|do I pay for|what does|how much is] the return label [free|cost||extra]?
[how much|what] does [it cost to return <it>|a return|the return|a return label|returning <it>|sending <it> back] [cost||in total]?
[who pays|do I pay|must I pay|do I have to pay] [for|for the] [return|returns|return label|return shipping|sending it back|return postage]?
[is|are] [the return|returns|return shipping|return postage|sending it back] [free|free of charge|for free]?
[where|how] [do I|can I] [get|find|print|download] [a|the|my] return label?
[can|could|would] you [please |][send|give|email] me [a|the] return label?
[do you|will you] [send|provide|offer|include] [a|free|a free] return [label|labels]?
I [need|want|am looking for|can't find|lost] [a|my|the] return label.
<tell> [where I find the return label|if returns are free|what a return costs|how I get a return label].
return label[| please| cost| free| where][?|]
""",
    "refund_opened_q": """
[can I|may I|could I|am I allowed to] [return|send back|get a refund for|give back] [opened|used|unpacked|unsealed|worn] [goods|items|products|things|clothes]?
[can I|may I|could I] [return|send back] <it> [if I opened it|if I have opened it|after I opened it|that I have used|after using it|if the seal is broken|without the box|without the packaging]?
[I|I have|we] [already |][opened|used|unpacked|tried] [it|the box|the package|the product][, can I still return it|. can I return it|, can it be returned|. do I get a refund]?
[must|does|should] [<it>|the package|the box|the product] be [unopened|sealed|in the original box|in its packaging|unused][| to return it| for a refund]?
[are|do you take back|do you accept|do you refund] [opened|used|unsealed|unpacked] [goods|items|products|packages][| returnable| refunded| back]?
what if I [opened|used|have opened|have used|unpacked] [it|the box|the product|<it>]?
[is it a problem|does it matter] [if I opened it|that I opened the box|if the seal is broken|if it was used]?
<tell> [if opened goods can be returned|if I can return used goods|whether it must be sealed|if it has to be unopened].
[opened|used|unsealed] [goods|items|product|box] [return|refund|returns][?|]
""",
    "refund_lost_q": """
[do I|will I|can I] [get|have] [a refund|my money back|money back] [if|when] [<it> is lost|<it> gets lost|<it> never arrives|the parcel goes missing|you lose it]?
[what if|what happens if|what do I get if] [<it> gets lost|<it> is lost|<it> never arrives|<it> goes missing|you lose <it>]?
[are|do you refund] [lost|missing] [parcels|packages|orders|shipments] [refunded|too|as well|insured]?
[when|after how many days|after how long] [is|does] [a lost parcel|a missing parcel|a lost package|a missing order] [refunded|paid back|count as lost]?
[do you|will you] [refund|pay for|compensate|replace|pay back] [lost|missing] [parcels|packages|orders|shipments]?
how do refunds [work|go] for [lost|missing] [parcels|packages|shipments]?
<tell> [what happens with lost parcels|if lost parcels are refunded|when a lost parcel is refunded|what I get for a lost parcel].
[refund|money back|compensation] for [lost|missing|a lost|a missing] [parcel|package|parcels|shipment][?|]
""",
    "refund_exchange_q": """
[can I|could I|may I|is it possible to|how do I|I want to|I'd like to] [exchange|swap|change] [<it>|it|these shoes|this shirt|the jacket] [for|to] [another|a different|a bigger|a smaller] [size|colour|color|one]?
[can I|could I] [get|have] [another|a different|a bigger|a smaller] [size|colour] [instead|instead of a refund|in exchange]?
[do you|can you] [do|offer|allow|make] [exchanges|an exchange|swaps]?
[is|are|what does] [an exchange|exchanges|exchanging <it>] [free|free of charge|cost|possible]?
[it is|it's|the shoes are|the shirt is] too [small|big|large|tight][, can I exchange it|. can I swap it|, can I get another size|. can I change the size]?
[I ordered|I bought|I took] the wrong [size|colour][, can I exchange it|. can I swap it|, can I change it|. is an exchange possible]?
<tell> [if I can exchange <it>|how an exchange works|what an exchange costs|whether exchanges are free].
[exchange|swap] [size|colour|for another size|possible|cost][?|]
""",
    "customs_limit_q": """
[do I|will I|must I] [have to |need to |]pay [duty|customs|customs duty|import duty|import tax|customs fees|taxes] [on|for] [<goods>|a parcel from china|a gift from the usa|a parcel worth 80 euros|goods worth 200 euros|100 euros]?
[who|which side] [pays|has to pay|must pay|covers] [the|] [duty|customs|customs duty|import duty|customs fees|import tax]?
[what is|what's|is there|how high is] the [duty free|customs|duty-free|tax free|duty] [limit|allowance|threshold|value]?
[from|up to|above|over] [what|which] [value|amount|price] [do I pay|is there|must I pay|is it free of] [duty|customs|customs duty|import duty]?
[how much|what] [duty|customs|customs duty|import duty|import tax] [do I|must I|will I|should I] [pay|have to pay][| for my parcel| on this| for goods from abroad]?
[when|in which case] [is|are] [a parcel|goods|an order|my order] [duty free|free of duty|free of customs|tax free]?
[my|the] [parcel|order|package] is worth [50|80|120|140|160|200|300|90] euros[, do I pay duty|. is there duty|, is that duty free|, do I have to pay customs|. is customs due]?
[are there|is there|will there be] [any |][customs fees|import duty|customs charges|duty|import tax] [on|for] [my parcel|my order|goods from china|orders from abroad]?
[why do I|do I really] have to pay [customs|duty|import duty]?
<tell> [who pays the duty|when I must pay duty|how much is duty free|what the customs limit is|if I have to pay customs].
[duty free|customs|duty|import duty] [limit|threshold|who pays|fees|costs|allowance][?|]
""",
    "customs_gift_q": """
[do I|does my friend|does my mother|must I|does the receiver] pay [duty|customs|import duty] [on|for] [a gift|gifts|presents|a present|a birthday present]?
[are|is] [gifts|presents|a gift|a present|a birthday gift] [free of duty|duty free|taxed|free of customs|exempt from duty]?
[what is|what's] the [limit|value limit|customs limit|allowance|threshold] for [gifts|presents|a gift|a present]?
[up to|from] [what|which] value [are|is] [gifts|a gift|presents] [duty free|free of duty|free|taxed]?
[I'm sending|I am sending|I send|my aunt sent me] [a gift|a present|a birthday present][, is there duty|. is there customs to pay|, is it duty free|. do we pay duty]?
how much can a [gift|present] be worth [without duty|duty free|before customs charges it|]?
<tell> [if gifts are duty free|what the limit for gifts is|if customs charges for presents|how gifts are treated by customs].
[gift|gifts|present|presents] [customs|duty|limit|duty free|customs limit][?|]
""",
    "customs_papers_q": """
[what|which] [papers|documents|forms|paperwork|documentation] [do I need|are needed|are required|must I have|should I include|do I have to fill in] [for customs|to send abroad|to ship outside the eu|for a parcel abroad|for sending to china|for export|for an international parcel]?
[which|what] customs [form|forms|papers|declaration|documents] [do I|must I|should I] [need|use|fill in|attach|include]?
[do I|must I|should I] [need|include|attach|add|fill in] [an invoice|a customs form|a customs declaration|papers|an invoice for customs|a cn23][| for customs| to send abroad]?
[is|are] [an invoice|a customs form|documents|papers|a declaration] [needed|required|necessary][| for customs| for sending abroad]?
[what|which papers] does customs [need|want|ask for|require][| from me]?
[I want to|I'd like to|I am going to|we want to] [send|ship] a [parcel|package] [abroad|to china|to the usa|to switzerland|overseas][, which papers do I need|. what documents do I need|, what forms are there to fill in|. which form is it]?
<tell> [which papers customs needs|which form I need|what documents I need|what paperwork is required for customs].
customs [papers|documents|form|forms|paperwork|declaration][| needed| please][?|]
""",
    "customs_forbidden_q": """
[what|which things|which goods|which items] [can't|can I not|may I not|must I not|am I not allowed to|cannot] [be sent|send|ship|post|send abroad|put in a parcel]?
[what|which things|which goods|which items] [are|is] [forbidden|not allowed|prohibited|banned][| in a parcel| in the post| by customs| to send]?
[can I|may I|am I allowed to|is it ok to|is it allowed to] [send|ship|post|mail] [batteries|a battery|perfume|fireworks|a power bank|lithium batteries|a big battery|a bottle of perfume|firecrackers][| abroad| by parcel| in a parcel]?
[are|is] [batteries|perfume|fireworks|lithium batteries|a power bank|dangerous goods] [allowed|forbidden|prohibited|ok to send|banned|permitted]?
[is there|do you have|where is] a list of [forbidden|prohibited|banned|not allowed] [goods|items|things]?
what [must|should|can] not [be|go] [in a parcel|in my parcel|in the box|sent]?
<tell> [what is forbidden|what I can't send|which goods are prohibited|if I can send batteries|if perfume is allowed].
[forbidden|prohibited|banned|restricted] [goods|items|things|list][?|]
""",
    "customs_time_q": """
[how long|how many days] does [customs|customs clearance|clearance|the customs check|clearing customs] [take|usually take|need|normally last]?
[how long|how many days] [will|does|do] [my parcel|a parcel|the package|my order|goods] [stay|stays|remain|be held|sit|wait] [at|in|with] customs?
[when|how soon] [will|does] [customs|the customs office] [release|clear|finish with|let go of|be done with] [my parcel|it|the package|my order]?
[when|how soon] will [my parcel|it|the package|my order] [clear|be cleared by|leave|get through|pass|be through] customs?
[my parcel|my package|my order|it] [is|has been|is stuck|has been held] [at|in] customs[, how long does that take|. how long will it take|, when is it released|. how long do I have to wait]?
how [fast|quick] is [customs|clearance|customs clearance]?
why does customs take so long?
<tell> [how long customs takes|how long clearance takes|how many days customs needs|when customs is done].
customs [time|duration|clearance time|how long|processing time][?|]
""",
    "customs_phone_q": """
[who|whom|which number] [do I|can I|should I|must I|could I] [call|phone|ring|contact|talk to|ask] [about|for questions about|with a question on|regarding] [customs|duty|a customs problem|my customs bill|clearance]?
[what is|what's|is there|do you have|where do I find] [the|a|your] [customs |][phone number|hotline|number|telephone number|helpline] [for|of] [customs|the customs desk|customs questions|the customs office]?
[can I|how can I|how do I|I want to|I'd like to|I need to] [call|talk to|speak to|reach|contact|speak with] [someone about customs|the customs desk|the customs office|customs|a person about customs|somebody about duty]?
[give me|please give me|send me|I need|can I have] the [number|phone number|contact|telephone number|hotline] [of|for] [customs|the customs desk|customs questions|the customs office][| please].
<tell> [who to call about customs|the number of the customs desk|how to reach customs|whom I can ask about customs].
customs [phone|phone number|hotline|contact|number|helpline][?|| please]
""",
    "customs_pay_q": """
[how|where] [do I|can I|should I|must I|could I] pay [the|my|] [duty|customs|customs duty|customs fee|customs fees|import duty|customs bill]?
[can I|may I|could I|is it possible to] pay [the |my |][duty|customs|customs fee|import duty|customs bill] [by card|in cash|online|with paypal|to the driver|at the door|by bank transfer]?
[what|which] [ways|payment methods|methods|options] are there to pay [the duty|customs|the customs fee|import duty|my customs bill]?
[do you|does the driver|does customs] [take|accept] [cards|cash|a card|credit cards|card payment] for [duty|customs|the customs fee|import duty]?
[is|must|can] [the duty|customs|import duty|the customs fee] [be paid|paid] [online|in cash|by card|in advance|at the door|to the driver]?
[to whom|when|where] [is|do I pay] the [duty|customs fee|import duty|customs bill][| paid| to be paid]?
<tell> [how to pay the duty|how I pay customs|where to pay import duty|if I can pay customs by card|how duty is paid].
[pay|paying|payment of] [duty|customs|customs fee|import duty][| online| how| by card][?|]
""",
    "thanks": "[thanks|thank you|thanks a lot|thank you very much|great, thanks|ok thanks|perfect, thank you|thx|cheers|ok, thank you|good to know, thanks|great|that's all, thanks][!|.|||]",
}  # fmt: skip

FACTS: dict[str, tuple[str, tuple[str, ...]]] = {  # the answer, and what of it must be there
    "refund_window": ("You can ask for a refund within {refund_days} days of delivery.", ("{refund_days} days",)),
    "refund_time": ("The refund is paid to your original card within 5 working days.", ("5 working days", "card")),
    "refund_damaged": ("Damaged goods are refunded in full. Please send us a photo of the damage.", ("in full", "photo")),
    "refund_shipping": ("The shipping fee is not refunded.", ("not refunded",)),
    "refund_label": ("The return label is free. You can print it on your order page.", ("free", "order page")),
    "refund_opened": ("Only unopened goods can be returned, unless they are faulty.", ("unopened", "faulty")),
    "refund_lost": ("A lost parcel is refunded in full after 14 days.", ("in full", "14 days")),
    "refund_exchange": ("An exchange for another size or colour is free.", ("exchange", "free")),
    "customs_limit": (
        "Goods worth up to 150 euros are duty free. Above that the receiver pays the duty.",
        ("150 euros", "receiver pays"),
    ),
    "customs_gift": ("Gifts worth up to 45 euros are duty free.", ("45 euros",)),
    "customs_papers": ("You need a CN23 form and an invoice.", ("CN23", "invoice")),
    "customs_forbidden": (
        "Batteries over 100 Wh, perfume and fireworks can't be sent.",
        ("100 Wh", "perfume", "fireworks"),
    ),
    "customs_time": ("Customs usually takes 2 working days.", ("2 working days",)),
    "customs_phone": ("For questions about customs please call 0800 555 0142.", ("0800 555 0142",)),
    "customs_pay": ("You can pay the duty online by card or in cash to the driver.", ("online", "cash")),
}  # fmt: skip
WELCOME = "You are welcome. Have a good day!"

GRAMMAR = Grammar(
    _RULES | {fact: f"<open><{fact}_q><close>" for fact in FACTS},
)
