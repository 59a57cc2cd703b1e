"""What people write to the parcel desk in English, and what it answers.

Slots: ``{id}`` parcel number, ``{id2}`` a second one, ``{address}`` the new address, ``{old}`` another one.
A rule whose name ends in ``0`` names no number.
"""

from __future__ import annotations

from deploy.demo.text.grammar import Grammar

_TRACK = """
where is <np>[| now| right now| at the moment| currently| today]?
[where's|wheres|where's] <np>[| now| right now]?
where [exactly is|has|on earth is] <np>[| now]?
which city is <np> in[| now]?
what is the [|current |latest ]status of <np>?
what's [the status of|happening with|going on with|up with|the latest on|the delivery date of|the eta for] <np>?
what happened to <np>?
when [will|does|should] <np> [arrive|get here|be delivered|come|reach me|be here]?
when is <np> [coming|arriving|due|expected|going to arrive|supposed to arrive]?
[on what day|what day|what date] will <np> [arrive|be delivered|get here]?
[how long until|how much longer until|how many days until] <np> [arrives|gets here|is delivered]?
how [far along|far away] is <np>?
has <np> [arrived|been delivered|been shipped|been sent out|left the depot|left the warehouse|been dispatched][| yet| already]?
[did|hasn't] <np> [arrive|arrived|been delivered][| yet]?
is <np> [on its way|on the way|out for delivery|coming today|still in transit|here yet|at the depot|ready for pickup|delivered yet|arriving soon]?
will <np> [come|arrive|be here|be delivered|get here] [today|tomorrow|this week|before friday|on time|soon|by the weekend|in time]?
[any|is there any|do you have any|got any] [news|update|updates|word|info|information] [on|about|for|of] <np>?
do you know [where <np> is|when <np> will arrive|when <np> is coming|what happened to <np>]?
<polite> [tell me|let me know|find out|check|look up|see|tell us] where <np> is[| now| right now]?
<polite> [tell me|let me know|check|find out] [when|what day] <np> [will arrive|will be delivered|is coming|gets here]?
<polite> [track|trace|check|check on|look up|locate|find|look into|follow] <np>[| for me]?
<polite> [give|send|get] me [an update|the latest|the status|a status update|the location|the tracking info] [on|for|of] <np>?
<polite> check the [status|location|whereabouts|delivery date|tracking|progress] of <np>[| for me]?
<want> [know|find out|see|check|ask] where <np> is[| now| right now].
<want> [know|find out|ask] when <np> [will arrive|is coming|will be delivered|gets here].
<want> [track|trace|check on|follow|check the status of|have an update on] <np>.
<pls>[track|trace|check|check on|find|locate|look up|look for] <np>[| for me][|, please|, pls| please].
<pls>[tell me|let me know|show me|see] where <np> is[| now][|, please| please].
<pls>[give|show|send] me the [status|location|tracking|latest] [of|for|on] <np>[| please].
[I'm|I am|we're|we are] [still |]waiting for <np>[. where is it?|, where is it?|, when will it come?|. any news?|, can you check?|. can you see where it is?]
[I'm|I am] expecting <np>[. when will it come?|, where is it now?|, any idea when it gets here?]
<np> [has not|hasn't|still hasn't] [arrived|come|shown up|been delivered|turned up][| yet][. where is it?|, where is it?|, can you check where it is?|. when will it come?|, any news?]
[I have no idea|I don't know|not sure|no idea] where <np> is[. can you check?|, can you look it up?|, please check.|. please track it.]
I [ordered something|bought a gift|sent a present to my mother|sent something to a friend|bought shoes online] [last week|on monday|a few days ago|yesterday]. where is <np>[| now]?
"""

_REDIRECT = """
<pls>[send|redirect|deliver|forward|ship|reroute|bring|move] <np> to <there>[| instead][|, please| please].
<pls>[change|update|switch|set|correct] the [|delivery |shipping ]address [of|for|on] <np> to <there>[|, please| please].
<pls>[change|update|correct] the [|delivery |shipping ]address [of|for|on] <np>[. it should be|. the new one is|. it is now|: new address] {address}.
<pls>[change|update] the [|delivery ]address [of|for|on] <np> from {old} to {address}.
<pls>do not send <np> to [my old address|my office|{old}|my home][, send it to|. send it to|, deliver it to|. bring it to] {address}[| instead].
<polite> [send|redirect|deliver|forward|ship|reroute|bring] <np> to <there>[| instead]?
<polite> [change|update|switch] the [|delivery |shipping ]address [of|for|on] <np> to <there>?
[can|could] <np> [be sent|be delivered|go|be redirected|be forwarded|come|be brought] to <there>[| instead]?
is it possible to [send|redirect|deliver|change] <np> to <there>[| instead]?
<want> [send|redirect|deliver|forward] <np> to <there>[| instead].
<want> change the [|delivery |shipping ]address [of|for|on] <np> to <there>.
<want> change where <np> goes. [it should go to|the new address is|please use] {address}.
the [new|correct|right] [|delivery ]address for <np> is {address}.
[I moved|I've moved|we moved|we have moved|I have moved house|I am moving][, so|. please| and] [send|deliver|redirect] <np> to {address}.
[I gave|I entered|I typed|they have|you have] the wrong address for <np>[. it should be|. the right one is|, it should be|. please use] {address}.
<np> [should|needs to|must|has to] [go|be delivered|be sent|be brought] to <there>[|, not to {old}| instead of {old}| instead].
<np> is going to the wrong address. [it should go to|send it to|the right one is] {address}[|, please].
I [won't|will not] be at home[. please send|, so please send|, can you send] <np> to <there>[| instead].
[new address|address change|change of address] for <np>: {address}.
"""

_ASK_REDIRECT = """
<polite> change the [|delivery |shipping ]address [of|for|on] <np>?
<want> change the [|delivery |shipping ]address [of|for|on] <np>.
<want> [redirect|reroute] <np> to [another|a different|a new] address.
<pls>change the [|delivery |shipping ]address [of|for] <np>.
[can|could] <np> be [sent|delivered|redirected] [somewhere else|to another address|to a different address|to a new address]?
[I moved|I've moved|we moved], [can you change|please change] the address of <np>[?|.]
[how do I|how can I|can I|is it possible to] change the [|delivery ]address [of|for] <np>?
the address of <np> is wrong.
<np> is going to the wrong address.
"""

_COMPLAIN = """
<np> <{R}_did>.
<np> <{R}_did>. <file>.
<file>[:|.|,] <np> <{R}_did>.
<file> [about|for] <np>[. it|, it|: it|, because it|, which] <{R}_did>.
<file>[.|:] <{R}_said>[. the number is|, parcel|. parcel number] {id}.
[I'm|I am] [very |really |so |][unhappy|angry|disappointed|upset|annoyed] [with|about] <np>[. it|, it|: it] <{R}_did>.
[I have a problem with|there is a problem with|there's something wrong with|something is wrong with|problem with|issue with] <np>[. it|, it|: it] <{R}_did>.
<{R}_said>[. it is about| -|. parcel|. this is about|, parcel number|. the number is|: parcel] {id}[|. <file>].
[|my parcel |parcel |re |about |complaint about |regarding ]{id}: <{R}_said>[|. <file>].
"""

_RULES: dict[str, str] = {
    "thing": "parcel|parcel|package|package|shipment|delivery|order|box|packet|item",
    "np0": "[my|my|my|the|our|this] <thing>[|||| from {who}| for {who}]",
    "np": """
[my|my|the|our|this|] <thing> [|||number |no. |#|with number |with the number |with tracking number |with id |, number ]{id}
[my|my|the|our|this|] <thing> {id}
{id}
{id}
the <thing> with the [|tracking |parcel ][number|code] {id}
[tracking number|parcel number|number|shipment number|order number] {id}
[my|the] <thing> ({id})
""",
    "polite": """
[can|could|can|could|would] you [|please |kindly |quickly ]
[can|could|can|could] you [|please ]
[would|do] you mind if I ask you to
is it possible to
any chance you could
[I would be grateful if you could|it would be great if you could|I'd appreciate it if you could]
[can|could|may] I ask you to
""",
    "want": """
I [want|need|would like|wish|have] to
[I'd like|I would like|we'd like|we need|we want] to
[I'm trying|I am trying|I was hoping|I just want|I only want] to
""",
    "pls": "|||please |please |pls |kindly |",
    "there": "{address}|{address}|{address}|{address}|this address: {address}|the address {address}|my new address, {address}|a new address: {address}|my office at {address}|my sister at {address}|my home, {address}",
    "open": "|||||||hi, |hello, |hi. |hello. |hey, |hi there, |good morning, |good afternoon. |good evening, |excuse me, |dear team, |sorry to bother you, |quick question: |hi! |hello! |hey |ok, |so |dear support, ",
    "close": "|||||||| thanks.| thank you.| thanks in advance.| cheers.| many thanks.| please help.| thanks!| thank you very much.| best regards.| thx.",
    "why": "|||||||| it is [urgent|a present|a birthday gift|rather important|quite urgent].| I need it [today|soon|for work|by friday|this week].| I am [at home all day|going away on friday|away tomorrow|a bit worried].| I have to [plan my day|be at home for it].",
    "given": """
[the|my] [|tracking |parcel |order |shipment |reference ][number|code|id] is {id}.
[it is|it's|that's|this is|it is number] {id}.
[number|tracking number|parcel number|no.|id|tracking|parcel|order][:|] {id}.
({id}).
here is the number: {id}.
{id}.
""",
    "track_np": _TRACK,
    "track0": _TRACK.replace("<np>", "<np0>"),
    "track": """
<open><track_np><why><close>
<open><track_np><why><close>
<open><track_np><why><close>
<open><track0> <given><why><close>
<open><given> <track0><close>
<track_terse>
""",
    "track_terse": """
{id}
[status|status of|track|tracking|trace|where is|where's|eta|eta for|eta of|update|update on|check|locate|find|location of|news on|delivery status|delivery date] {id}[|?| please]
[<thing>|] {id} [status|where|where now|eta|tracking|update|any news|arrived|location][|?| please| pls]
[<thing>|] {id}[: |, | - ][where is it|when does it arrive|when will it come|any news|status please|has it arrived|what's the status|is it on its way|can you check|please track it][|?]
""",
    "track_missing": "<open><track0><why><close>",
    "redirect_np": _REDIRECT,
    "redirect0": _REDIRECT.replace("<np>", "<np0>"),
    "redirect": """
<open><redirect_np><close>
<open><redirect_np><close>
<open><redirect_np><close>
<open><redirect_np><close>
<open><redirect0> <given><close>
<open><given> <redirect0><close>
<open>[please change the address|address change|change of address|new address please|change address]. [parcel|number|parcel number]: {id}[.|,|¶|;] [new address|address|to]: {address}[.|]
[change address|redirect|send|address change|reroute|forward|deliver][ of|] {id} to {address}
{id} to {address}[| please]
{id}[: |, | - ][new address|change the address to|send it to|please deliver to|redirect to|deliver it to] {address}[|, please]
""",
    "redirect_no_id": "<open><redirect0><close>",
    "redirect_no_address": "<open><ask_redirect><close>",
    "ask_redirect": _ASK_REDIRECT,
    "redirect_nothing": "<open><ask_redirect0><close>",
    "ask_redirect0": _ASK_REDIRECT.replace("<np>", "<np0>"),
    "file": """
[I want|I would like|I'd like|I need|we want] to [complain|make a complaint|file a complaint|open a complaint|raise a complaint|report a problem|register a complaint|lodge a complaint]
[please |][open|file|register|raise|make|start|log] a complaint
[can|could] you [please |][open|file|register|raise|log] a complaint
[this is a complaint|complaint|I am complaining|I wish to complain]
""",
    "damaged_did": """
[arrived|came|got here|was delivered|turned up] [|completely |badly |totally |all |slightly ][broken|damaged|smashed|crushed|torn|wet|dented|squashed|cracked|ripped open|in pieces]
[is|was] [|completely |badly |totally ][broken|damaged|smashed|crushed|torn|wet|dented|cracked|ruined]
[has|had] [a big hole|a hole|a crack|water damage|a broken corner|broken glass inside] [in it|when it came|]
[came|arrived] with [a hole in the side|everything inside broken|broken contents|a torn box|the seal broken|the screen cracked]
was damaged [in transit|on the way|by the courier|during delivery|when I opened it]
""",
    "damaged_said": """
[the|my] [{thing}|contents|cup|glass|box|screen|vase|lamp|plate] [inside |][is|was|arrived] [broken|damaged|smashed|cracked|in pieces|shattered|ruined]
everything [in the box|inside] [is|was] [broken|smashed|wet|damaged]
[the box was|it was] [crushed|torn|soaking wet|damaged|ripped open|smashed]
it [arrived|came|was delivered] [broken|damaged|smashed|in pieces|dented|wet]
[broken|damaged|arrived broken|arrived damaged|came damaged|damaged in transit]
""",
    "lost_did": """
[has gone missing|is missing|got lost|is lost|was lost|has disappeared|went missing|has vanished|cannot be found|never arrived|never came|never turned up|never showed up|was never delivered]
[was marked as delivered|says delivered|is shown as delivered] but [I never got it|I did not receive it|it never arrived|nothing came|it is not here]
seems to [be lost|have been lost|have gone missing|have disappeared]
[has been|was] [lost|stolen] [|by your driver|by the courier|on the way|in the post]
""",
    "lost_said": """
I [never got|never received|did not receive|didn't get|have not received] [it|my <thing>|anything|the <thing>] at all
[you|your driver|the courier|your company] [lost|has lost|have lost] [it|my <thing>|the <thing>]
[it|my <thing>|the <thing>] [never arrived|never came|is lost|got lost|has gone missing|was stolen|is missing|disappeared]
[lost|missing|never arrived|gone missing|not received]
""",
    "late_did": """
[is|was] [|very |much too |far too |so |really ][late|delayed|overdue]
[is|was] [two days|three days|five days|a week|ten days|two weeks|a month|many days] [late|overdue|too late]
[came|arrived|was delivered|got here] [|much |far |a week |three days |two weeks |way ][too late|late]
[should have|was supposed to] [been here|arrive|arrived|come] [last week|days ago|a week ago|yesterday|on monday|two weeks ago] and is [late|delayed|still late]
is taking [far too|much too|way too|too] long
has been delayed [again|for days|for a week|three times]
""",
    "late_said": """
[it|my <thing>|the <thing>|the delivery] [is|was] [|very |much too |far too |a week |three days |two weeks ]late
[the delay is|this delay is|such a delay is] [unacceptable|too long|not ok|ridiculous]
[it|my <thing>|the delivery] [came|arrived] [too late|a week late|late|two days late|far too late]
[it is taking|this takes|the delivery takes] [too long|far too long|forever]
[late|delayed|overdue|late delivery|very late|a week late]
""",
    "wrong_item_did": """
[contains|has|contained|had] [the wrong [item|thing|product|goods|size|colour|color|model]|something I did not order|somebody else's things|a different item|a different product]
[is|was] [not what I ordered|the wrong item|the wrong product|the wrong thing|the wrong size|the wrong colour|the wrong one|something else]
[came|arrived] with the wrong [item|thing|product|goods|things][| inside| in it]
had {thing} [in it|inside] instead of {other}
""",
    "wrong_item_said": """
[I got|I received|you sent me|they sent me|you sent] [the wrong [item|thing|product|size|colour|one|goods]|somebody else's order|something I did not order|a different product|something else]
I ordered {other} [but|and] [got|received|you sent me] {thing}
[this|it] is not what I ordered
there [is|was] [the wrong item|something else|the wrong thing|a different product] [inside|in the box|in it]
[wrong item|wrong product|wrong goods|wrong item sent|not what I ordered|wrong size]
""",
    "complain_no_id": """
<open><file>[:|.|,] <np0> <{R}_did>.<close>
<open><np0> <{R}_did>.<close>
""",
    "complain_no_reason": """
<open><file> about <np>.<close>
<open>[I have a problem with|there is a problem with|something is wrong with|I'm unhappy with|I am not happy with|I have an issue with] <np>.<close>
""",
    "complain_nothing": """
<open><file>.<close>
<open><file> about <np0>.<close>
<open>[I have a problem with|I'm not happy with|something is wrong with] <np0>.<close>
""",
        "give_id": "<give>{id}<give_end>",
    "give": "|||it's |it is |the number is |sure, |sure, it's |ok, |of course, it is |here it is: |my number is |number |parcel |sorry, it's |yes, |that's |it should be |#|tracking number ",
    "give_end": "||||.|. thanks| thanks| please|, thanks|.",
    "give_address": "[|||to |it's |it is |the new address is |please send it to |sure, |ok, |my new address is |new address: |it should go to |deliver it to |use ]{address}[|||.|, please|. thanks| please]",
    "give_both": """
[|it's |parcel |the number is |number |sure, ]{id}[,|.|;| and] [the new address is|the address is|send it to|new address:|it should go to|to|deliver to|please deliver to] {address}[|.]
{id}[, |¶|; ]{address}
[send |deliver |please send |]{id} to {address}[|.| please]
""",
    "give_reason": "[|it |it |it ]<{R}_did>[|.]\n<{R}_said>[|.]",
    "and_other": """
[and|and|what about|how about|and what about|and where is|where is|also check|please also check|now check|also|same for|can you check|could you also check|ok and|thanks, and|and also|also track] [|the other one, |the other one |the second one, |my other parcel |another one, |the package |parcel |number ]{id}[?|?|]
[and the other one|and my second parcel|and what about the other one|I have another one|there is one more][?|.|:|,] {id}[|?]
""",
    "track_it": "<open_next>[where is it|where is it now|can you track it|when will it arrive|when does it come|what is its status|what's the status|and where is it now|is it on its way|please check where it is|has it arrived yet|any news on it][?|]",
    "redirect_it": """
<open_next>[please |can you |could you |][send|redirect|deliver|bring|forward] it to <there>[| instead][| please]
<open_next>[please |can you |could you |][change|update] [the|its|the delivery] address to {address}[|.| please]
<open_next>[I won't be there|I moved|the address is wrong|I won't be home][. send it to|, send it to|. it should go to|. please deliver it to] {address}
""",
    "complain_it": """
<open_next>it <{R}_did>[.|]
<open_next><{R}_said>[.|]
<open_next><file>[.|,|:] it <{R}_did>[.|]
""",
    "open_next": "|||ok. |ok, |thanks. |thank you. |and |great. |good. |hm, |oh, |also, |alright. |one more thing: |then ",
    "two": "<open>[where are|track|please track|can you check|status of|any news on|please check|what about|I'm waiting for two parcels:|where are my parcels] {id} and {id2}[?|]<close>",
    "thanks": "[thanks|thank you|thanks a lot|thank you very much|great, thanks|ok thanks|perfect, thank you|thx|cheers|many thanks|ok, thank you|great|perfect|ok great, thank you|that's all, thanks|good, thanks|wonderful, thank you|thanks for your help|thank you so much][!|.|||]",
    "hello": "[hi|hello|hey|hi there|good morning|good afternoon|hello there|good evening|hey there|hi, can you help me|hello, I need help|I have a question|can you help me with a parcel|I need help with my parcel][!|.|||?]",
}  # fmt: skip

_REASON_RULES = {
    f"complain_{reason}": "\n".join(
        f"<open>{line}<close>" for line in _COMPLAIN.replace("{R}", reason).strip().split("\n")
    )
    + f"\n[complaint|complain|report|claim][:|] {{id}}[ |, |: | - ]<{reason}_said>"
    + f"\n{{id}} <{reason}_did>\n{{id}}[ |, |: | - ]<{reason}_said>"
    for reason in ("damaged", "lost", "late", "wrong_item")
} | {
    f"{rule}_{reason}": _RULES[rule].replace("{R}", reason)
    for rule in ("give_reason", "complain_it", "complain_no_id")
    for reason in ("damaged", "lost", "late", "wrong_item")
}

GRAMMAR = Grammar(
    {name: text for name, text in _RULES.items() if "{R}" not in text} | _REASON_RULES,
)

PEOPLE = """my mother|my sister|my brother|my son|my daughter|a friend|my boss|work|my wife|my husband|my
 aunt|Germany|China|Italy|the bookshop|the shop|the online shop""".replace("\n", "").split("|")
THINGS = """a red shirt|a blue shirt|a pair of socks|a book|a toaster|a lamp|headphones|a phone case|a mug|two
 mugs|a kettle|black shoes|white shoes|a keyboard|a green jacket|a teapot|a backpack|toys|a clock|a hat""".replace(
    "\n", ""
).split("|")

STATUS = {
    "in_transit": "Parcel {parcel_id} is in transit and is now in {city}. It should arrive on {expected}.",
    "out_for_delivery": "Parcel {parcel_id} is out for delivery in {city}. It should arrive on {expected}.",
    "delivered": "Parcel {parcel_id} was delivered in {city} on {expected}.",
    "held_at_customs": "Parcel {parcel_id} is held at customs in {city}. It should arrive on {expected}.",
    "waiting_for_pickup": "Parcel {parcel_id} is waiting for pickup in {city}. Please collect it by {expected}.",
}
REDIRECTED = "Done. Parcel {parcel_id} now goes to {address}. Your reference is {reference}."
ALREADY_DELIVERED = "Parcel {parcel_id} was already delivered, so it can't go to another address."
COMPLAINT = {
    reason: "I am sorry that parcel {parcel_id} "
    + words
    + ". Your complaint is {ticket}. You will get an answer within {answer_within_days} days."
    for reason, words in {
        "damaged": "is damaged",
        "lost": "is lost",
        "late": "is late",
        "wrong_item": "holds the wrong item",
    }.items()
}
NOT_FOUND = "I can't find a parcel with the number {parcel_id}. Please check the number and send it again."
ASK_ID = "Please give me the parcel number."
ASK_ADDRESS = "What is the new address for parcel {parcel_id}?"
ASK_BOTH = "Please give me the parcel number and the new address."
ASK_REASON = "What is wrong with parcel {parcel_id}: is it damaged, lost, late or the wrong item?"
ASK_ID_AND_REASON = "Please give me the parcel number and tell me what is wrong."
WELCOME = "You are welcome. Have a good day!"
HELLO = "Hello! How can I help you with your parcel?"
CITY_NAMES: dict[str, str] = {}  # the tools' own names are English
