"""How people and mail clients quote and sign, told from one line: words, separators and their languages.

What comes in: one line, cut to a bounded length. What goes out: what it is. The tables are the contents of this
file; every check is linear in the line (no nested repeats), since anybody may send any line.
"""

from __future__ import annotations

import re


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split("|"))


# The verb at the end of "On … Ann wrote:", in the languages whose clients we meet.
_VERBS = (
    "wrote|writes|sent|said|has written|schrieb|schreibt|geschrieben|a [ée]crit|écrit|écrivait|avez écrit|escribió"
    "|escribio|escribieron|escribía|ha escrit|va escriure|escribiu|idatzi du|ha scritto|hai scritto"
    "|scrisse|scritto|escreveu|schreef|geschreven|geskryf|skrev|skrifaði|kirjoitti|kirjoittanut"
    "|napisał\\(a\\)|napisał|napisała|napisali|napisal\\(a\\)|napisal/-a|napisal|napisala|pisze"
    "|написал\\(а\\)|написал|написала|написали|пишет|писал|писала|писали|пише|писав|написав|написа|напиша|піша|напісаў"
    "|је написао/ла|написао/ла|написао|je napisao/la|napisao/la je|napisao/la|napisao je|napisala je|napisao"
    "|napsal\\(a\\)|napsal|napsala|píše|napísal\\(a\\)|napísal|napísala|írta|a scris|scris"
    "|kirjutas|rakstīja|rašė|parašė|yazdı|yazmış|yazıb|έγραψε|כתב|כתבה|כתב/ה|כתב\\(ה\\)"
    "|كتب|كتبت|تمت كتابة|نوشت|نوشته است|ने लिखा|लिखा|لکھا|লিখেছেন|เขียนว่า|เขียน"
    "|đã viết|viết|menulis|tulis|menulis bahwa|sinulat|missatge de|kirjutas kasutaja"
    "|写道|寫道|来信|书写|写到|提到|说道|說道|写于|寫於|写道于|のメール|のメッセージ|書きました|さんは書きました"
    "|님이 작성|님이 씀|작성|님께서 작성"
)
# Other verbs tell who speaks only right above marked lines: people write "the vendor replied:" themselves.
_MORE_VERBS = "stated|asked|replied|responded|commented|noted|added|remarked|suggested|typed|spoke|antwortete|fragte"
# What stands at the beginning of an attribution without a date.
_OPENING = re.compile(
    r"\s*(?:quoting|zitat von|in reply to|in response to|als antwort auf|citando|citát|citat"
    r"|excerpts from|according to|in (?:message|article)|thus spa[kc]e"
    r"|quoth|mensagem citada por|mensaje citado por|引用)[\s:：]+\S",
    re.I,
)
_ON_A_BOARD = re.compile(r"^【 ?在 .{1,80} ?的大作中提到")  # what Chinese boards write above
_ARTICLE = re.compile(r"^(?:in (?:article|message) )?<[^\s<>]{1,200}@[^\s<>]{1,200}>,?$", re.I)
_DATE = re.compile(
    r"\d{1,2}[:.h]\d{2}|\d{1,4}\s?[-/.年]\s?\d{1,2}|\d{1,2}\.?\s+\w{3,12}\.?,?\s+\d{4}"
    r"|[A-Za-z]{3,9}\.?\s+\d{1,2},?\s+\d{4}|\d+월|\d+月"
    r"|(?<!\d)(?:19|20)\d\d(?!\d)|\b(?:mon|tues?|wednes|thurs?|fri|satur|sun)(?:day)?\b",
    re.I,
)
_LEAD = re.compile(
    r"\s*[*_-]*\s*(?:on|at|am|le|el|il|em|op|den|dne|dnia|w dniu|på|kl|pada|vào|le|în|la|a|в|у|вт|ср|чт|пт|сб|вс|пн"
    r"|στις|tarihinde|från|from|mon|tue|wed|thu|fri|sat|sun|lun|mar|mer|jeu|ven|sam|dim|tor|ons|tir|man|fre|lør|søn"
    r"|ma|ti|ke|to|pe|su|Op|ב|在|于|於|o|d|u|v|po|na|на|во|в|у|нд|þann|kuupäev|dana|dne|a|az|ngày|ในวันที่|เมื่อ|في|در"
    r"|quoting|date|vom|du|del)\b|\s*[\d०-९]{1,4}[-./:年 ]",
    re.I,
)
_ADDRESS_ENDS = re.compile(r"[<(\[]?\s?[^\s<>]{1,100}@[^\s<>]{1,100}\s?[>)\]]\s*[:：]\s*$")
_ADDRESS_SAID = re.compile(
    rf"^\s*[^\s<>][^<>]{{1,80}}[<(]\s?[^\s<>]{{1,100}}@[^\s<>]{{1,100}}\s?[>)],?\s*(?:{_VERBS})\s*[:：]\s*$", re.I
)
_WHOLE_DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d|25[5-9]\d|١٤\d\d|٢٠\d\d|۱[۳۴]\d\d|۲۰\d\d|२०\d\d)(?!\d)"
    r"|\d{1,2}[./-]\s?\d{1,2}[./-]\s?\d{2,4}"
)
_YEAR = re.compile(r"(?<!\d)(?:(?:19|20)\d\d|25[5-9]\d|٢٠\d\d|۱[۳۴]\d\d|۲۰\d\d)(?!\d)")
_FIELDS = {
    "from": "from|von|de|da|van|från|fra|od|от|от кого|отправитель|від|від кого|发件人|發件人|发信人|寄件者|寄件人"
    "|差出人"
    "|보낸사람|보낸 사람|lähettäjä|feladó|expéditeur|remitente|mittente|afzender|kimden|gönderen|nadawca|từ|người gửi"
    "|dari|daripada|pengirim|από|avsender|afsender|odesílatel|odosielateľ|de la|de către|saatja|no|nuo|siuntėjas"
    "|sūtītājs|pošiljatelj|pošiljalac|šalje|од|пошиљалац|подател|מאת|من|از|فرستنده|प्रेषक|จาก|ผู้ส่ง|frá|enviat per"
    "|发送人|送信者|oanspjutte",
    "date": "sent|date|gesendet|datum|envoyé|enviado|enviado el|enviada|enviada em|enviado em|fecha|data|inviato"
    "|verzonden|skickat|sendt|dato|wysłano|wysłane|отправлено|дата|发送时间|發送時間|日期|时间|時間|发送日期"
    "|發送日期|发件日期|发件时间|發件日期|發件時間"
    "|寄件日期|傳送日期|送信日時|日時|日付|보낸 날짜|보낸시간|날짜|lähetetty|päivämäärä|elküldve|küldve|odesláno"
    "|odoslané|odoslaná|tarih|gönderildi|gönderilme tarihi|ngày|đã gửi|gửi lúc|sent at|date envoi|envoyé le"
    "|надіслано|надіслана|dátum|päiväys|data wysłania|trimis|trimisă|dată|изпратено|послано|датум|poslano|poslato"
    "|saadetud|kuupäev|nosūtīts|datums|išsiųsta|enviat|data d'enviament|dikirim|tanggal|tarikh|dihantar|στάλθηκε"
    "|ημερομηνία|נשלח|תאריך|تاريخ الإرسال|أرسلت|التاريخ|تاریخ|ارسال شده|भेजा गया|दिनांक|तारीख|ส่ง|ส่งเมื่อ|วันที่"
    "|sent on|date sent|dagsetning",
    "to": "to|an|à|para|per|aan|till|til|do|кому|收件人|收件者|宛先|받는사람|받는 사람|kime|alıcı|vastaanottaja"
    "|címzett|komu|destinataire|destinatario|destinatário|ontvanger|đến|tới|người nhận|kepada|ke|penerima|a|προς"
    "|mottagare|mottaker|modtager|către|pentru|catre|до|за|прима|za|prima|adressaat|kellele|kam|kam|adresāts|gavėjas"
    "|per a|אל|إلى|به|प्रति|ถึง|受信者|送信先|empfänger|adresat",
    "cc": "cc|kopie|kopia|copie|copia|kopi|копия|抄送|抄送人|抄送至|副本|참조|ccn|cc:|bilgi"
    "|másolatot kap|másolat|копія|kópia"
    "|copie către"
    "|κοιν|עותק|نسخة|رونوشت|สำเนา|đồng kính gửi|tembusan|bcc|密送|密件抄送",
    "subject": "subject|betreff|objet|asunto|oggetto|assunto|onderwerp|ämne|emne|temat|тема|主题|主題|主旨|件名"
    "|제목|konu|aihe|tárgy|předmět|predmet|sujet|chủ đề|tiêu đề|perihal|subjek|θέμα|titel|onderw|subiect|относно"
    "|наслов|предмет|naslov|zadeva|teema|temats|tēma|tema|assumpte|נושא|الموضوع|موضوع|विषय|เรื่อง|efni|标题|题目|re",
    "other": "importance|priority|reply-to|attachments|anhänge|organization|x-priority|优先级|附件|重要性|message-id"
    "|wichtigkeit|priorität|pièces jointes|allegati|adjuntos|anexos|添付ファイル|附加檔案|sent by|mailed-by|signed-by",
}
_FIELD_OF = {word: kind for kind, words in _FIELDS.items() for word in words.split("|")}
_INNER_SPACE = re.compile(r"(?<=[\u4e00-\u9fff])[ \u00a0\u3000]+(?=[\u4e00-\u9fff])")  # 主　题, 抄 送
_FIELD = re.compile(r"^[\s>|*_]*([^\W\d_][^:：\n]{0,24}?)[\s\u00a0]*[*_]*[:：][*_]*(.*)$")
_RULE = re.compile(r"^\s*(?:[-_=*─—]\s?){5,}\s*$")
_ORIGINAL = re.compile(
    r"original|ursprüngliche|antwort|nachricht von|origine|orig[ií]n|originale|oorspronkelijk|ursprung|oprindelig"
    r"|opprinnelig|alkuperäinen|upprunaleg|исходное|оригинал|початкове|изходно|first message"
    r"|reply (?:to )?message|replied message|原始|原邮件|原郵件|邮件原件|邮件原文|回复的|元のメッセージ|元のメール|원본"
    r"|oryginaln"
    r"|wiadomość"
    r"|původní|pôvodná|eredeti|izvorna|izvirno|algne|originālā|pirminis|αρχικό|הודעה מקורית|الرسالة الأصلية|پیام اصلی"
    r"|मूल संदेश|ข้อความต้นฉบับ|thư gốc|tin nhắn gốc|pesan asli|mesej asal|özgün|orijinal|mensagem de|mensaje de",
    re.I,
)
_FORWARD = re.compile(
    r"forward|weitergeleitet|transf[ée]r|réexpédi|reenviado|reenviad|inoltrat|encaminhad|doorgestuurd|vidarebe"
    r"|videresend|videresendt|áframsend|пересл|пересыла|перенаправл|переадрес|препрат|прослеђ|转发|轉寄|轉發|転送"
    r"|전달|przekazan"
    r"|przesł"
    r"|p[řr]eposlan|välitetty|lähetetty edelleen|iletilen|továbbított|redirecționat|redirection|proslije|prosleđ"
    r"|posredovan|edastatud|pārsūtīt|persiųst|reenviat|προωθη|הועבר|معاد توجيه|إعادة توجيه|ارسال شده|अग्रेषित|ส่งต่อ"
    r"|chuyển tiếp|diteruskan|dimajukan|terusan",
    re.I,
)
# What a separator names besides; titles without it ("--- original ---", "=== forward zone ===") are people's own too.
_MAIL = re.compile(
    r"e-?mail|messag|mail\b|nachricht|mensaje|mensagem|correo|courriel|bericht|meddelande|meddelelse|melding|besked"
    r"|brev|viesti|skilaboð|wiadomość|zpráv|správ|üzenet|levél|mesaj|ileti|сообщени|письм|повідомлен|лист|съобщени"
    r"|писмо|порука|порак|poruk|sporočil|kiri|sõnum|vēstul|ziņojum|laišk|pranešim|μήνυμα|הודעה|رسالة|پیام|संदेश|ข้อความ"
    r"|จดหมาย|thư|tin nhắn|pesan|mesej|surat|missatge|邮件|郵件|信件|来信|メール|メッセージ|메일|메시지",
    re.I,
)
_FORWARD_LINE = re.compile(
    r"^[\s>*]*(?:begin forwarded message|forwarded message|anfang der weitergeleiteten .{0,20}"
    r"|weitergeleitete nachricht"
    r"|début du message réexpédié|début du message transféré|message transféré|message réexpédié"
    r"|inizio messaggio inoltrato|messaggio inoltrato|inicio del mensaje reenviado|mensaje reenviado"
    r"|início da mensagem (?:encaminhada|reencaminhada)|mensagem encaminhada|开始转发的邮件|开始转发邮件|被转发的邮件"
    r"|转发的邮件|轉寄的郵件|開始轉寄郵件|begin doorgestuurd bericht|doorgestuurd bericht"
    r"|vidarebefordrat (?:brev|meddelande)"
    r"|videresendt melding|videresendt (?:besked|meddelelse)|start på videresendt (?:besked|melding)"
    r"|välitetty viesti(?: alkaa)?|välitetyn viestin alku|początek przekazywanej wiadomości|wiadomość przekazana"
    r"|začátek přeposlané zprávy|továbbított levél kezdete|iletilen mesajın başlangıcı"
    r"|начало переадресованного сообщения"
    r"|переслан\w{2,4} (?:сообщение|письмо)|начало переадресованого повідомлення|下面是被转发的邮件|以下是转发的邮件"
    r"|転送されたメッセージ|전달된 메시지|전달된 메일|bắt đầu thư được chuyển tiếp"
    r"|mulai meneruskan pesan)\s*[*]?[:：][\s*]*$",
    re.I,
)
# The line above which other products, and people's own desks, ask for answers.
_ABOVE = re.compile(
    r"(?:above|over) (?:this|the) line|(?:reply|respond) above\W{0,20}$|above to reply|über diese[rn]? (?:linie|zeile)"
    r"|oberhalb dieser (?:linie|zeile)|au-dessus de cette ligne|(?:por )?encima de esta línea|sobre esta línea"
    r"|sopra (?:a )?questa (?:linea|riga)|acima d(?:esta|essa) linha|boven deze (?:lijn|regel)"
    r"|ovanför (?:denna|den här) rad"
    r"|over denne linjen?|tämän rivin yläpuolelle|powyżej tej linii|nad (?:tento řádek|tuto čáru|tento riadok)"
    r"|(?:выше|над) этой (?:линии|линией|строки|строкой|черты|чертой)|bu satırın üst|deasupra acestei linii|e sor fölé"
    r"|この(?:行|線)より上|(?:此|该|这|這)条?(?:行|线|線|條線)(?:以上|之上|上方)|이 (?:줄|선) 위|trên dòng này"
    r"|di atas baris ini",
    re.I,
)
_ASKS_ABOVE = re.compile(
    r"^\s*(?:please |kindly )?(?:type your |enter your |write your )?(?:reply|respon[ds]e?|write|answer)", re.I
)
_MARKER = re.compile(r"^[\s>]*##- .{0,300} -##\s*$")
_DECORATED = re.compile(r"^[\s>]*(?:[-=#_*~—–]\s?){2}|[-=#_*~—–]{2}\s*$")
_LOTUS = re.compile(r"---\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4} \d{1,2}:\d{2}(?::\d{2})?(?: ?[AP]M)?---", re.I)
_GROUPWISE = re.compile(r"^>>> .{3,160} >>>\s*$")
_RUN_ON = re.compile(r"^[\s>*]*-{3,12} ?(?:forwarded|original) message ?-{3,12}\s?(?=from: )", re.I)
_SUPERCITE = re.compile(r"^>{1,8} *\"[^\"]{1,20}\" == .{1,120}:\s*$")
_INITIALS = re.compile(r"^\s{0,8}((?:[A-Za-zÀ-ÞА-Я]{1,12})?[>|]|:(?= ))(?:[>\s]|$)")
_DIFF = re.compile(r"^(?:< |\d+(?:,\d+)?[acd]\d+(?:,\d+)?\s*$)")
_LINK_END = re.compile(r"^[(<]?(?:https?://\S+|[^\s=/&?%]*[=/&?%]\S*)[\s)>]*$")
_UNDERSCORES = re.compile(r"^\s*_{2,}\s*$")
_TELLS = re.compile(r"[.!?。！？；;]$|^\s*[#/@!>＃]|^p\.?\s?s\b|^(?:附|另)[:：]|^#|\b(?:please|bitte|请)\b", re.I)
_ASKS = re.compile(r"\b(?:please|bitte|请)\b|[?？]$|^p\.?\s?s\b", re.I)
_SIGNATURE = re.compile(r"^-- ?$")
_GADGET = (
    r"i-?phon|i-?pad|i-?pod|ios\b|mac\b|apple watch|android|samsung|galaxy|blackberry|huawei|honor|xiaomi|redmi"
    r"|mi phone|oppo|vivo|oneplus|pixel|nokia|lumia|windows|outlook|yahoo|gmail|mail|e-?mail|mymail|smartphone"
    r"|smartfon|handy|mobile?|móvil|cell|phone|tablet|device|mobilgerät|telefon|teléfono|proton|aol|nexus|xperia|htc"
    r"|motorola|moto|lg|zte|wireless|verizon|t-mobile|palm|touchpad|fairphone|superhuman|airmail|polymail|nylas"
    r"|newton|hushmail|guerrillamail|zoho|aqua ?mail|tutanota|tuta\b|typeapp|typemail|bluemail|fairemail|k-9"
    r"|thunderbird|boxer|spark|mailbox|appareil|dispositivo|aparelho|toestel|apparaat|enhet|gerät|puhelim|courrier"
    r"|correo|posta|e-post|poczt|pošt|почт|яндекс|смартфон|телефон|планшет|携帯|スマートフォン|스마트폰|휴대폰|휴대전화"
)
_GADGETS = re.compile(rf"\b(?:{_GADGET})", re.I)
# What stands before the name of a device or a program, and in some languages behind it.
_SENT_IN_ENGLISH = re.compile(r"(?:un)?sen[td] (?:from|via|with|using|by|through|on) |typed on ", re.I)
_SENT = re.compile(
    r"von meine[mr] |gesendet (?:von|vom|mit|aus|über|via) "
    r"|(?:diese nachricht|diese e-?mail|dies) wurde (?:von|mit) mein"
    r"|envoyée? (?:de|depuis|à partir|via|avec) |provenance ?: "
    r"|enviad[oa] (?:desde|do|da|de|a partir|via|por|mediante|con|com|pelo) |enviat (?:des|amb) "
    r"|inviato (?:da|dal|dalla|con|via|tramite) |(?:verstuurd|verzonden) (?:vanaf|vanuit|met|via) "
    r"|skicka(?:t|des) (?:från|med|via) |sendt? (?:fra|frá|via|med) |lähetetty "
    r"|wysłan[eoya]+ (?:z|ze|za pomocą|przy użyciu) |(?:odesláno|odoslan[éeo]|odosláno) (?:z|ze|zo|pomocí) "
    r"|отправлено (?:с|со|из|через|с помощью) |послано с |надіслано (?:з|із|зі) |изпратено от "
    r"|trimis (?:de pe|din|cu|de la) |elküldve |στάλθηκε από |נשלח מ"
    r"|(?:أرسلت|أُرسلت|مُرسل|تم الإرسال) من |ارسال (?:شده )?از "
    r"|ส่งจาก |(?:đã |được )?gửi từ |(?:dikirim|terkirim|dihantar) dari |(?:poslano|poslato|послато) (?:s|z|sa|iz|са) "
    r"|saadetud minu |nosūtīts no |išsiųsta iš ",
    re.I,
)
_SENT_BEHIND = re.compile(
    r"(?:^von .{2,60}gesendet|gönderildi|küldve|(?:から|より)送信(?:されたメール|しました)?"
    r"|에서 ?(?:보냄|전송|전송됨|보냈습니다|보낸 메일)|से भेजा(?: गया)?)[.。]?$",
    re.I,
)
_OWN = re.compile(r"(?:my|mein\w{0,2}|mon|ma|mi|meu|minha|mio|mia|mijn|min|mojego|mého|môjho|моего|моей|мого)\b", re.I)
# Small words among the names of devices and programs, and what programs praise themselves with.
_OF_NAMES = frozenset(
    _listed(
        "my|a|an|the|of|from|on|for|with|using|via|and|by|at|in|wireless|network|carrier|smart|new|app|client|edition"
        "|secure|encrypted|email|emails|enjoy|ad-free|best|free|work|open|source|extensible|please"
    )
)
# Outlook and its like offer themselves in the language of the phone.
_APPS = r"\[?(?:outlook|bluemail|typeapp|aqua ?mail|mail)"
_SYSTEMS = r"(?:ios|android|mac|macos|windows)"
_OBTAIN = re.compile(
    rf"^(?:(?:get|download|holen sie sich|hol dir|laden sie|obten[eé][zr]|obtenir|obtenga|obtén"
    r"|télécharge[rz]|descargar?"
    r"|obter|obtenha|transfira|baixe|scarica|ottieni|hämta|hent|få|skaff|skaff deg|hae|hanki|lataa|pobierz"
    r"|pobierz aplikację|získejte|získajte|stáhněte|stáhnout|stiahnite|stiahnuť|загрузите|скачать|скачайте|отримайте"
    r"|завантажте|obțineți|tải|unduh|dapatkan|获取|獲取|获得|下载|下載|取得) ?(?:the |o |l['’])?)?"
    rf"{_APPS}\b\W{{0,3}}(?:\w{{1,8}} ){{0,2}}{_SYSTEMS}(?: 1[01])?"
    r"(?P<end> ?(?:herunter|herunterladen|downloaden|ophalen|を(?:入手|取得)(?:する)?|다운로드|받기|를 다운로드))?"
    r"[\])]?\W{0,3}(?:https?://\S{1,200})?$"
    rf"|^(?P<cjk>获取|獲取|下载|下載|取得)? ?(?:适用于|適用於)? ?{_SYSTEMS} ?(?:版|的|용|için) ?(?:的 ?)?outlook"
    r"\W{0,2}"
    r"(?P<tail>u edinin|u indirin|を ?(?:入手|取得)(?:する)?|다운로드|받기)?\W{0,3}(?:https?://\S{1,200})?$",
    re.I,
)
_CHINESE_GADGET = (
    "iphone|ipad|android|安卓|harmonyos|手机|手機|平板|邮箱|郵箱|信箱|客户端|客戶端|邮件应用|版邮件|版郵件|电子邮件"
    "|huawei|华为|小米|xiaomi|redmi|荣耀|honor|vivo|oppo|samsung|三星|galaxy|大师|企业微信|钉钉|飞书|qq|outlook|windows"
    "|mac|移动设备|行動裝置|foxmail"
)
_CHINESE_DEVICE = re.compile(
    r"^(?:[此该本這](?:封)?(?:邮件|郵件|信))? ?(?:(?:发自|發自|来自|來自|发送自|傳送自|传送自|寄自|寄件自)"
    r"(?:我的 ?[^的，。；：！？,;!?]{1,24}$|"
    rf"[^的，。；：！？,;!?]{{0,20}}?(?:{_CHINESE_GADGET}))"
    rf"|(?:从|從|由|用|使用|通过|通過|透過|我的)(?:我的)?[^的，。；：！？,;!?]{{0,20}}?(?:{_CHINESE_GADGET})"
    r"(?=.{0,30}(?:发送|發送|傳送|发出|寄出|发来的)))"
    r"(?:[A-Za-z0-9 .+()（）\[\]/<>:_-]|智能|手机|手機|邮箱|郵箱|邮件|郵件|电子|客户端|客戶端|应用|大师|专属|商务|版"
    r"|公司|华为|小米|荣耀|发送|發送|傳送|发出|寄出|发来的){0,60}$",
    re.I,
)
_EXCUSES = re.compile(r"brevity|typos?|spelling|autocorrect|tippfehler|concision|errores|brevidad|kürze", re.I)

# What people close a letter with; a signature of their address may follow.
_CLOSINGS = (
    "best|best regards|kind regards|regards|warm regards|warmest regards|warmly|with regards|with best regards"
    "|with kind regards|many thanks and regards|thanks and regards|thanks & regards|thank you and regards|sincerely"
    "|yours sincerely|yours truly|yours faithfully|best wishes|cheers|thanks|thank you|many thanks|thanks in advance"
    "|respectfully|cordially|all the best|rgds|brgds|br|kr|mit freundlichen grüßen|mit freundlichen grüssen"
    "|mit freundlichem gruß|freundliche grüße|freundliche grüsse|viele grüße|viele grüsse|beste grüße|liebe grüße"
    "|schöne grüße|herzliche grüße|mit besten grüßen|mfg|lg|vg|gruß|grüße|hochachtungsvoll|cordialement"
    "|bien cordialement|bien à vous|salutations|meilleures salutations|sincères salutations|amicalement|cdlt"
    "|saludos|un saludo|saludos cordiales|atentamente|cordialmente|cordiali saluti|distinti saluti|saluti|grazie"
    "|un cordiale saluto|atenciosamente|att|abraços|cumprimentos|com os melhores cumprimentos|melhores cumprimentos"
    "|obrigado|obrigada|met vriendelijke groet|met vriendelijke groeten|vriendelijke groeten|groeten|groet|mvg"
    "|med vänliga hälsningar|vänliga hälsningar|med vänlig hälsning|hälsningar|mvh|med venlig hilsen|venlig hilsen"
    "|kh|kærlig hilsen|mange hilsner|de bedste hilsner|med vennlig hilsen|vennlig hilsen|hilsen"
    "|ystävällisin terveisin|terveisin|terveisiä|kveðja|bestu kveðjur"
    "|z poważaniem|pozdrawiam|pozdrowienia|s pozdravem|s pozdravom|üdvözlettel|tisztelettel|cu stimă|cu respect"
    "|с уважением|с наилучшими пожеланиями|з повагою|поздрави|с поздрав|με εκτίμηση|saygılarımla|saygılarımızla"
    "|iyi çalışmalar|teşekkürler|בברכה|بتحياتي|تحياتي|مع التحية|مع أطيب التحيات|با احترام|با تشکر|सादर|धन्यवाद"
    "|ขอแสดงความนับถือ|trân trọng"
    "|hormat saya|salam|terima kasih|srdačan pozdrav|lijep pozdrav|lep pozdrav|pozdrav|s poštovanjem|s spoštovanjem"
    "|lugupidamisega|ar cieņu|pagarbiai|atentament|salutacions|此致|敬礼|此致敬礼|祝好|祝商祺|顺颂商祺|顺祝商祺|谢谢"
    "|谢谢!"
    "|多谢|致礼|敬上|敬請|敬祝|祝商安|以上|以上、よろしくお願いいたします|よろしくお願いいたします"
    "|よろしくお願いします|敬具|감사합니다"
    "|고맙습니다|드림"
)
# Closings that say thanks: they stay with the words.
_THANKS = (
    "thank", "many thanks", "cheers", "grazie", "obrigad", "teşekkür", "terima kasih", "谢谢", "多谢", "감사", "고맙",
    "धन्यवाद", "با تشکر", "よろしく", "以上",
)  # fmt: skip
_STROKED = re.compile(r"^[-–—/~] ?[A-ZÀ-ÞА-Я][\w.'-]{1,20}(?: [A-ZÀ-ÞА-Я][\w.'-]{0,20}){0,2}$")
_CLOSING_WORDS = tuple(sorted(set(_listed(_CLOSINGS)), key=len, reverse=True))
_CLOSING_STARTS = tuple({word[:2] for word in _CLOSING_WORDS})
_PHONE = re.compile(r"(?:\+|\b00|\(|\b)\d[\d ()/.–-]{5,}\d")
_CONTACT = re.compile(
    r"@[\w-]+\.\w|\bwww\.|https?://|\b(?:tel|phone|fax|mobile?|cell|office|direct|e-?mail|t|m|f|p|ph|tél|telefon|handy"
    r"|skype|wechat|qq|web)\b ?[.:：]|(?:电话|手机|传真|邮箱|邮编|地址|微信|電話|携帯|手機|地址|部门|座机|内线)"
    r"|\b(?:ceo|cto|cio|cfo|coo|gmbh|ltd|inc|llc|corp|s\.?r\.?l|b\.v|ag|plc|pty|s\.?a|oy|ab|a/s|sp\. z o)\b"
    r"|\b(?:manager|engineer|director|head of|consultant|administrator|developer|team lead|officer|specialist|analyst"
    r"|founder|president|assistant|coordinator|technician|architect|support|leiter|leiterin|geschäftsführer|ingenieur"
    r"|berater|directeur|directrice|responsable|gerente|ingeniero|direttore)\b"
    r"|(?:经理|工程师|主管|总监|主任|有限公司|公司|集团|事业部|技术部|部長|課長|株式会社|과장|팀장|대리)",
    re.I,
)
_DISCLAIMS = _listed(
    "confidential|privileged|intended recipient|intended only|intended solely|intended for|disclos|unauthori|in error"
    "|delete it|delete this|notify the sender|virus|liable|liability|vertraulich|empfänger|irrtümlich|unbefugt|absender"
    "|vernichten|rechtlich|confidentiel|destinataire|par erreur|détrui|confidencial|destinatari|por error|por engano"
    "|divulga|riservat|per errore|vertrouwelijk|bestemd|geadresseerde|abusievelijk|konfidentiell|avsedd|fortrolig"
    "|adressaten|mottagare|avsändare|radera|obehörig|afsender|modtager|avsender|mottaker|uautoris"
    "|przeznaczon|nadawc|nieuprawnion|důvěrn|adresát|odesílatel|neoprávněn|bizalmas|címzett|feladó|confidenţial"
    "|luottamuksell|poufn|adresat|konfidenci|конфиденциальн|предназначен|получател|gizli|保密|机密|機密|收件人|误收"
    "|错收|仅限于|发件人"
    "|誤收"
    "|删除|刪除|未经授权|泄露|誤って|기밀|수신인"
)
_FOOTERS = _listed(
    "the environment before|before printing|virus-free|avast.com|avast antivirus|avg.com|checked for viruses by"
    "|been checked for viruses|been scanned|scanned for viruses by|auf viren geprüft"
    "|bitte denken sie an die umwelt|pensez à l'environnement|wolny od wirusów"
    "|ausdrucken|antes de imprimir|prima di stampare|avant d'imprimer|请考虑环境"
)
# A disclaimer speaks of the mail it stands in; who reports a leak, or a virus, speaks of another.
_OF_ITSELF = re.compile(
    r"th(?:is|e following) (?:[\w-]{1,14} ){0,2}(?:e-?mail|message|communication|transmission|document|information)"
    r"|information (?:contained|in this|transmitted)|e-?mail and any|disclaimer"
    r"|confidentiality notice|contents? of this"
    r"|diese[rs]? (?:e-?mail|mail|nachricht|mitteilung|elektron|information)|enthält vertraul"
    r"|\bce (?:message|courriel|mail|courrier|document)|\bcet e-?mail|cette (?:communication|transmission)|\bprésent"
    r"|\best[ea] (?:mensaje|correo|e-?mail|mensagem|comunica|mail|documento)|información contenida|informação contida"
    r"|\bquest[oa] (?:e-?mail|mail|messaggio|comunicazione)|\b(?:il|la) presente|informazioni contenute"
    r"|\bdit (?:bericht|e-?mail)|\bdeze (?:e-?mail|mail)|de informatie"
    r"|\bdett[ae] (?:e-?post|meddeland|mejl|mail)|\bdenn[ae] (?:e-?post|e-?mail|mail|meddelelse|melding)"
    r"|\btämä (?:viesti|sähköposti)|\bniniejsz|treść (?:tej|niniejsz)|\bt(?:ato|ento) (?:zpráv|správ|e-?mail)"
    r"|(?:данное|настоящее|это) (?:\w{1,20} )?(?:сообщение|письмо)|\bbu (?:e-?posta|mesaj|elektronik|ileti)"
    r"|(?:本|此|这封|這封)(?:电子|電子)?(?:邮件|郵件|信|e-?mail|通讯|信息)|(?:邮件|郵件)(?:及|与|和|內容|内容)"
    r"|(?:この|本)(?:電子)?メール|(?:이|본) ?(?:전자)?(?:메일|우편)"
)
_FIRST_PERSON = re.compile(
    r"\bi(?:'m|'ve| (?:have|had|am|was|got|get|see|saw|found|checked|scanned|think|need|will|can|did|deleted))\b"
    r"|\bich\b|\b(?:can|could|would) you\b|\bwe (?:have|had|got|get|see|need|are|found)\b"
    r"|\bwir (?:haben|sind|brauchen|bekommen)\b|\bkönn(?:en|t|ten) (?:sie|ihr) (?:uns|das|die|bitte)\b"
    r"|今天|请问|能否|能不能|麻烦|我(?:刚|今|昨|收到)"
)
_LISTS = re.compile(
    r"to unsubscribe|unsubscribe[:@,]|unsubscribe (?:at|here|from|by|via|send)|[-+]unsubscribe|mailing list|list info"
    r"|abmelden|désabonner|darse de baja|退订|取消订阅|listinfo|archives?:",
    re.I,
)
_LINKED = re.compile(r"@|://|\bwww\.|mailing list", re.I)
_POSTSCRIPT = re.compile(r"p\.?\s?s\b\.?\s?[:.-]?|(?:附|又及|另)[:：]", re.I)
_SENTENCE = re.compile(r"[.!?…:;,](?:$|\s)|[。！？；，]")
_FORWARDS = re.compile(
    r"^\s*(?:\[[^\]]{1,40}\]\s*)*(?:fwd?|wg|tr|trs|rv|renv|enc|i|inoltro|vb|doorst|fs|vl|pd|tovább|továbbítás|ilt|i̇lt|yml|yan"
    r"|πρθ|пер|пересл|препр|ch|chuyển tiếp|转发|轉寄|转寄|轉發|転送|전달|הועבר|إعادة توجيه|ส่งต่อ|redir|redirecționat)"
    r"\s*(?:[\[(]\d{1,3}[\])])?\s*[:：]|\(fwd\)\s*$|^\s*\[fwd: ",
    re.I,
)

_ANSWERS = re.compile(
    r"^\s*(?:\[[^\]]{1,40}\]\s*)*(?:re|aw|antw|sv|vs|rif|r|res|resp|odp|vá|atb|ynt|yan|bls|ref|σχετ|απ|отв|на|回复|回覆|答复|回信"
    r"|答覆|返信|답장|회신|תשובה|رد|ตอบกลับ|trả lời|tl|balas|bls)\s*(?:[\[(^]?\d{1,3}[\])]?)?\s*[:：]",
    re.I,
)

# The verbs as plain words: asking for an ending is many times faster than searching for a pattern at every place.
_END_WORDS = (*(verb.replace("\\", "").lower() for verb in _VERBS.split("|") if "[" not in verb), "a ecrit")
_TORN_END = re.compile(rf"^>,? ?(?:{_VERBS})\s?[:：]\s*$", re.I)
_HOLDS = re.compile(rf"(?:{_VERBS})(?:\b|(?=\W|$))", re.I)
_DATED_ADDRESS = re.compile(r"\d{4}[-/年.]\s?\d{1,2}[-/月.].{0,120}<[^<>\s@]+@[^<>\s@]+>$")
_SAME_LINE = re.compile(
    r"[\s-](On (?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,? |\d)|-{4,10} ?(?:original|forwarded|reply) message)",
    re.I,
)
_UNSEEN = {
    **dict.fromkeys(map(ord, "\u00a0\u2007\u2009\u202f\u3000"), " "),
    **dict.fromkeys(
        map(
            ord,
            "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufeff",
        )
    ),
}
_END_TAILS = frozenset(word[-2:] for word in _END_WORDS)
_AFTER_VERB = " :：*_-】\u00a0"
_SIGNS = frozenset("-=_~—–#*>|<:：＞")
_LINE = 1000
_PROOFS = 3  # words of a disclaimer that make one
_SHORT = 200
_LONG = 300
_BRIEF = 80
_WRAPS = 60  # a quoted line this long was probably wrapped
_SPOKEN = 25  # characters of a sentence
_NAMES = 4  # words of a name
_NAMED = 60  # characters of a closing with a name
_DISCLAIMER = 90  # characters of the shortest disclaimer
_RULERS = "-=_~—–"
_ORNAMENT = " \t\u00a0>*_"
_ADORNS = " \t*_()[]<>~—–-"
_ASIDE = re.compile(r"[(<\[]|https?://|[.,;!] (?=please|excuse|sorry|enjoy|the best|swiss|free)", re.I)
_BARE = 24  # characters of a title without rulers
_TITLE = 48  # characters between the dashes of a separator
_LONG_TITLE = 110  # … that names who forwarded what
_FIELD_NAME = 60  # where the colon behind the name of a header stands
_NAME = re.compile(r"[\"'<*A-ZÀ-ÞА-Я\u4e00-\u9fff]")
_SAID = re.compile(
    r"^[\s*_\"'<(]*(?:(?:[A-ZÀ-ÞĀ-ŽА-ЯΑ-Ω\u0590-\ud7ff][^\s:]{0,40} ){1,5}|[^\s@]{1,60}@[^\s@]{1,60} )"
    rf"(?:{_VERBS})[\s:：]*$"
)
_WROTE = re.compile(r"^[\s*#@]*(?:[^\s:]{1,40} ){1,3}(?:wrote|writes):$")
_SAID_OTHERWISE = re.compile(rf"^[A-ZÀ-ÞА-Я].{{1,160}} (?:{_MORE_VERBS}):$")
_TIME = re.compile(r"\d[:.h]\s?\d\d|\d ?[点點時时시]|[०-९٠-٩۰-۹][:.]")
_SPEECH = re.compile(r"\b(?:sent|said)[\s:：*]*$", re.I)
_NAMED_WRITER = re.compile(rf"[,\d]\s(?:[A-ZÀ-ÞĀ-ŽА-ЯΑ-Ω]\S{{0,40}} ){{1,4}}(?:{_VERBS})[\s:：*]*$")
_MOMENT = re.compile(r"\s*\d{1,4}(?:[./-]\d{1,2}|:\d\d)[\d./: -]*$")
_ANSWERING = re.compile(
    r"(?:yes|yep|yeah|no|nope|not|ok|okay|sure|done|i|i'm|i'll|we|it|maybe|right|agreed|true|false|never|thanks|fixed|ja"
    r"|nein|nicht|ich|wir|oui|non|je|sí|no sé|sim|não|si|nee|да|нет)\b",
    re.I,
)
_PRONOUNS = _listed("you|i|he|she|it|they|we|who|this|that|the|my|our|your|sie|er|ich|wir|il|elle|je")
_PRONOUN = re.compile(rf"[\s*_]*(?:{'|'.join((*_PRONOUNS, *map(str.capitalize, _PRONOUNS)))})\b")


def visible(line: str) -> str:
    """Return the line with plain spaces, and without the marks of direction that some clients write into it."""
    return line if line.isascii() else line.translate(_UNSEEN)


def may_separate(line: str) -> bool:
    """Tell, at a glance, whether a stripped line may be a marker or a separator; most lines may not."""
    return line[0] in _SIGNS or line[-1] in _SIGNS or "---" in line or bool(_ASKS_ABOVE.match(line))


def is_our_marker(line: str) -> bool:
    """Tell whether this is the line of a desk's mails (ours or another's) above which people answer."""
    if "##- " in line and _MARKER.match(line):
        return True
    if len(line) > _SHORT or not (_DECORATED.search(line) or (len(line) <= _BRIEF and _ASKS_ABOVE.match(line))):
        return False
    return bool(_ABOVE.search(line))


def is_marked(line: str) -> bool:
    """Tell whether a line is quoted the plain way."""
    return line.lstrip(" \u00a0")[:1] in (">", "＞")


def only_looks_marked(line: str) -> bool:
    """Tell whether a line begins with ">" and announces a quote: "> wrote:", ">>> Ann 11/23/2026 >>>"."""
    if not line.startswith(">") or len(line) > _SHORT or line.rstrip()[-1] not in ":：>":
        return False
    return bool(_TORN_END.match(line) or _GROUPWISE.match(line) or _SUPERCITE.match(line))


def without_mark(line: str) -> str:
    """Return a line without the first of its quote marks."""
    bare = line.lstrip(" \u00a0")
    return bare[1:].removeprefix(" ") if bare[:1] in (">", "＞") else line


def odd_mark(line: str) -> str:
    """Return what marks a line as quoted where it is no plain mark: a bar, or the writer's initials ("AB>")."""
    match = _INITIALS.match(line[:20])
    return match[1] if match and not line.rstrip().endswith("|") else ""


def is_rule(line: str) -> bool:
    """Tell whether a line is only a ruler."""
    return bool(_RULE.match(line[:200]))


def is_separator(line: str) -> bool:
    """Tell whether a line announces the original or a forwarded mail beneath it."""
    if line[-1:] in ":：* " and _FORWARD_LINE.match(line[:100]):
        return True
    if "--" in line and _RUN_ON.match(line[:_SHORT]):
        return True
    if "---" in line and _LOTUS.search(line[:_LONG]):
        return True
    if line.startswith(">>> ") and _GROUPWISE.match(line[:_SHORT]):
        return bool(_WHOLE_DATE.search(line[:_SHORT]))
    title = _title(line)
    if len(title) > _TITLE and not (_WHOLE_DATE.search(title) or "@" in title):
        return False
    return bool(title) and bool(_ORIGINAL.search(title) or _FORWARD.search(title) or _HOLDS.search(title))


def is_sure_separator(line: str) -> bool:
    """Tell whether a separator says that it is one of a mail; beneath any other, a mail must be seen to begin."""
    title = _title(line)
    return not title or bool(_MAIL.search(title) or _WHOLE_DATE.search(title) or "@" in title)


def is_forward_separator(line: str) -> bool:
    """Tell whether a separator announces a forwarded mail (rather than the one that is answered)."""
    run_on = _RUN_ON.match(line[:_SHORT])
    if _FORWARD_LINE.match(line[:100]):
        return True
    title = run_on[0] if run_on else _title(line)
    return bool(title) and bool(_FORWARD.search(title)) and not _ORIGINAL.search(title)


def _title(line: str) -> str:
    """Return what stands between two rulers in one line, or ""."""
    bare = line.strip(_ORNAMENT.replace("_", ""))
    if bare[:2].strip(_RULERS) or bare[-2:].strip(_RULERS):
        return ""
    title = bare.strip(_RULERS + _ORNAMENT)
    return title if len(title) <= _LONG_TITLE else ""


def behind_separator(line: str) -> str:
    """Return what stands behind a separator in the same line: one client writes all headers there."""
    match = _RUN_ON.match(line[:_SHORT])
    return line[match.end() :].strip() if match else ""


def is_bare_title(line: str) -> bool:
    """Tell whether a stripped line is the title of a separator without its rulers: some clients draw those."""
    return len(line) <= _BARE and bool(_ORIGINAL.search(line) or _FORWARD.search(line)) and not _SENTENCE.search(line)


def header_kind(line: str) -> str:
    """Return which header of a quoted mail a line is: from, date, to, cc, subject, other, or ""."""
    return header_field(line)[0]


def header_field(line: str) -> tuple[str, str]:
    """Return which header of a quoted mail a line is and what it says, or ("", "")."""
    if line.find(":", 0, _FIELD_NAME) < 0 and line.find("：", 0, _FIELD_NAME) < 0:
        return "", ""
    match = _FIELD.match(line[:_LINE])
    if not match:
        return "", ""
    name = match[1].strip().lower()
    if not name.isascii():
        name = _INNER_SPACE.sub("", name)
    return _FIELD_OF.get(name, ""), match[2].strip()


def is_proven_header(line: str, kind: str) -> bool:
    """Tell whether the line holds what only such a header holds."""
    if kind in ("from", "to"):
        return "@" in line[:300]
    return kind == "date" and bool(_YEAR.search(line[:300]))


def may_end_attribution(line: str) -> str:
    """Return how a stripped line may end an attribution: by its "verb", "address", "colon", or "" for not at all."""
    colon = line.endswith((":", "："))
    if colon and _ADDRESS_ENDS.search(line[-220:]):
        return "address"
    tail = line[-300:].rstrip(_AFTER_VERB)
    if tail[-2:].lower() in _END_TAILS and tail[-40:].lower().endswith(_END_WORDS):
        return "verb"
    if not colon:
        return "address" if is_dated_address(line) else ""
    return "verb" if _HOLDS.search(tail[-160:]) else "colon"


def holds_verb(words: str) -> bool:
    """Tell whether somebody wrote or said something, anywhere in these words."""
    return bool(_HOLDS.search(words[:_LONG]))


def is_dated_address(line: str) -> bool:
    """Tell whether a line is a date and an address and nothing else."""
    return line.endswith(">") and bool(_DATED_ADDRESS.match(line[:300]))


def says_who_and_when(words: str, first: str) -> bool:
    """Tell whether joined lines, of which `first` is the uppermost, name a writer and a whole date or an address."""
    if "@" in words and _ADDRESS_SAID.match(words):
        return True
    dated, addressed = bool(_WHOLE_DATE.search(words)), "@" in words
    if _LEAD.match(first):
        return dated or addressed
    return dated and (addressed or (bool(_NAME.match(first)) and len(words) < _SHORT))


def says_who(line: str) -> bool:
    """Tell whether a stripped line names a writer, which is enough where marked lines follow: "Ann Baker wrote:"."""
    if len(line) > _SHORT or _PRONOUN.match(line):
        return False
    if _OPENING.match(line) or _SUPERCITE.match(line):
        return line.endswith((":", "："))
    if _ON_A_BOARD.match(line) or (_SAID_OTHERWISE.match(line) and _names_somebody(line)):
        return True
    if (
        _SAID.match(line)
        or _WROTE.match(line)
        or (_WHOLE_DATE.search(line) and line.endswith((":", "：")) and "@" in line)
    ):
        return True
    return line.startswith("* ") and line.endswith("]:") and "@" in line


def _names_somebody(line: str) -> bool:
    """Tell whether a line holds an address, or a whole date, or is hardly more than a name."""
    return "@" in line or bool(_WHOLE_DATE.search(line)) or all(w[0].isupper() for w in line.split()[:-1])


def names_article(line: str) -> bool:
    """Tell whether a line is the first of an attribution by what was written: "In article <...>,"."""
    return bool(_ARTICLE.match(line[:_SHORT]))


def is_told_surely(words: str) -> bool:
    """Tell whether an attribution is so whole that it may stand over unmarked lines: people tell who said what, too."""
    if "@" in words:
        return True
    if not words.rstrip(" *_\u00a0").endswith((":", "：")) or _SPEECH.search(words[-_NAMED:]):
        return False
    return bool(_TIME.search(words) or _NAMED_WRITER.search(words[-_SHORT:]))


def is_moment(value: str) -> bool:
    """Tell whether the value of a header is a date or a time, as in "From: 10:00"."""
    return bool(_MOMENT.match(value))


def begins_with_date(line: str) -> bool:
    """Tell whether a line is the first of an attribution that goes on beneath: a lead, a date, no end."""
    if len(line) > _SHORT or "@" in line or line.endswith((".", "。", ":", "：", "!", "?")):
        return False
    return bool(_LEAD.match(line) and _WHOLE_DATE.search(line))


def is_dated_writer(words: str) -> bool:
    """Without any verb: a full date at the beginning, then an address and a colon."""
    return len(words) < _LONG and bool(_YEAR.search(words) and _DATE.search(words[:60]))


def split_behind_words(line: str) -> str | None:
    """Return what stands before an attribution in the same line, or None where there is none."""
    if "On " not in line and "essage" not in line:
        return None
    match = _SAME_LINE.search(line)
    if not match or not (match[1].startswith("-") or may_end_attribution(line.strip())):
        return None
    head = line[: match.start()].rstrip(" -")
    return None if not head or _DATE.search(head) or "@" in head or header_kind(line) else head


def is_diff(line: str) -> bool:
    """Tell whether a line is one that `diff` prints: it marks new lines as mails mark quoted ones."""
    return bool(_DIFF.match(line))


def is_signature_delimiter(line: str) -> bool:
    """Tell whether a line is the dash-dash that opens a signature."""
    return bool(_SIGNATURE.match(line))


def may_be_signature(line: str) -> bool:
    """Tell whether a stripped line beneath a doubtful delimiter looks like one of a signature, not like more words."""
    return not line[:1].islower() or is_contact(line)


def is_armour(line: str, what: str) -> bool:
    """Tell whether a line is this part of the frame that PGP puts around a text."""
    return line.startswith("-----") and line.strip(" -") == what


def is_prompt(line: str) -> bool:
    """Tell whether a marked line is what Python's prompt looks like: no client begins at the third level."""
    return line.startswith(">>> ") or line.rstrip() == ">>>"


def is_dotted_rule(line: str) -> bool:
    """Tell whether a stripped line is a ruler with spaces in it, as old clients draw beneath what they quote."""
    return line.startswith("= = =") and not line.strip("= ")


def is_footer_rule(line: str) -> bool:
    """Tell whether a line is made of underscores: what lists and companies put over their footers."""
    return bool(_UNDERSCORES.match(line[:200]))


def is_list_footer(line: str) -> bool:
    """Tell whether a line says how to leave a mailing list."""
    return bool(_LISTS.search(line[:_SHORT]))


def is_linked(line: str) -> bool:
    """Tell whether a line holds an address or a link, or is that of a list: what footers are written for."""
    return bool(_LINKED.search(line[:_SHORT]))


def is_postscript(line: str) -> bool:
    """Tell whether a stripped line adds to the letter above: nobody's signature says P.S."""
    return bool(_POSTSCRIPT.match(line))


def is_frame(line: str) -> bool:
    """Tell whether a line is the empty frame of a table written as text: phones write cards of addresses so."""
    return "|" in line[:_SHORT] and not line[:_SHORT].strip(" \t|")


def tells_something(line: str) -> bool:
    """Tell whether a line beneath a ruler is more than a name, a link or a number."""
    return len(line) > _BRIEF or bool(_TELLS.search(line))


def is_closing(line: str) -> bool:
    """Tell whether a stripped line closes a letter ("Kind regards,"), perhaps with the name behind it."""
    if len(line) > _NAMED or line[:2].lower() not in _CLOSING_STARTS:
        return False
    low = line.lower()
    word = next((w for w in _CLOSING_WORDS if low.startswith(w)), "")
    rest = low[len(word) :]
    name = rest.strip(" ,.!，。！-/")
    return bool(word) and not rest[:1].isalnum() and len(name.split()) <= _NAMES and not _SENTENCE.search(name)


def is_parting(line: str) -> bool:
    """Tell whether a closing only says goodbye; thanks are words that may answer something."""
    return is_closing(line) and not line.lower().startswith(_THANKS)


def is_name(line: str) -> bool:
    """Tell whether a stripped line may be nothing but a name."""
    return 0 < len(line) <= _NAMED and not tells_something(line) and len(line.split()) <= _NAMES + 1


def is_stroked_name(line: str) -> bool:
    """Tell whether a stripped line is a name behind a stroke, as in -Ann Lee or /Ann."""
    return line[:1] in "-–—/~" and bool(_STROKED.match(line[:_SHORT]))


def is_contact(line: str) -> bool:
    """Tell whether a line of a signature is more than a name: a number, an address, a title, a company."""
    return bool(_CONTACT.search(line[:_SHORT]) or _PHONE.search(line[:_SHORT]))


def is_signing(line: str) -> bool:
    """Tell whether a stripped line may stand in a signature: short, and no sentence, request or command."""
    if len(line) > _BRIEF + 20 or line[0] in "#＃>":
        return False
    if not tells_something(line):
        return True
    return is_contact(line) and not _ASKS.search(line) and sum(word[0].islower() for word in line.split()) <= 1


def is_sentence(line: str) -> bool:
    """Tell whether a stripped line says something in a sentence, rather than naming or closing."""
    return len(line.encode()) >= _SPOKEN and bool(_SENTENCE.search(line)) and not is_closing(line)


def is_disclaimer(paragraph: str) -> bool:
    """Tell whether a paragraph is what companies let their servers put beneath every mail."""
    low = paragraph[:_LINE].lower()
    if len(low) < _LONG and any(words in low for words in _FOOTERS):
        return not _FIRST_PERSON.search(low)
    proofs = sum(words in low for words in _DISCLAIMS) if len(low.encode()) >= _DISCLAIMER else 0
    if proofs < _PROOFS or _FIRST_PERSON.search(low):
        return False
    return proofs >= 2 * _PROOFS - 1 or bool(_OF_ITSELF.search(low))


def is_device_line(line: str) -> bool:
    """Tell whether a stripped line is what a phone or a program adds by itself."""
    bare = line.strip(_ADORNS)
    if len(line) > _SHORT or not bare:
        return False
    offer = _OBTAIN.match(bare)
    if offer or _CHINESE_DEVICE.match(bare):
        return not offer or any(offer.groupdict().values()) or not bare.lower().startswith(("outlook", "mail"))
    if not _names_device(bare):
        return False
    if line.endswith((".", "。", "!")) or len(line) > _BRIEF + 20:  # or is it a sentence?
        plain = len(line) <= _BRIEF and "," not in line
        return bool(_GADGETS.search(line[:_NAMED])) and (plain or "http" in line or bool(_EXCUSES.search(line)))
    return True


def _names_device(bare: str) -> bool:
    """Tell whether a line says only from what it was sent: "Sent via DHL yesterday" is a person's."""
    english = _SENT_IN_ENGLISH.match(bare)
    sent = english or _SENT.match(bare)
    named = _GADGETS.search(bare)
    if not sent:
        return bool(named and len(bare) <= _NAMED and _SENT_BEHIND.search(bare))
    thing = _ASIDE.split(bare[sent.end() :], maxsplit=1)[0]
    words = [word for word in map(_bare_word, thing.split()) if word and word.lower() not in _OF_NAMES]
    words = [word for word in words if not _GADGETS.match(word)]
    plain = [word for word in words if not (word[0].isupper() or word[0].isdigit())]
    if named:
        return len(plain) <= (0 if english else _NAMES - 1)
    if _OWN.match(thing) or _OWN.search(sent[0]):
        return len(words) <= _NAMES - 1
    return bool(english) and not plain and sent[0].lower() == "sent from " and len(words) <= _NAMES - 1


def _bare_word(word: str) -> str:
    return word.strip("'’.,;:&-|")


def is_scrap(line: str, above: str) -> bool:
    """Tell whether a stripped line is the rest of the quoted line above it: the end of a link or of a sentence."""
    if len(line) > _LONG:
        return False
    if _LINK_END.match(line):
        return True
    wrapped = is_wrapped(above) and above[-1] not in ".?!:;。？！：" and not _ANSWERING.match(line)
    return wrapped and line[:1].islower() and len(line) < _WRAPS


def is_wrapped(line: str) -> bool:
    """Tell whether a line is so long that its client has probably wrapped it."""
    return len(line) >= _WRAPS


def says_answer(subject: str) -> bool:
    """Tell whether a subject begins as those of answers do."""
    return bool(_ANSWERS.match(subject[:_SHORT]))


def says_forward(subject: str) -> bool:
    """Tell whether a subject begins as those of forwarded mails do."""
    return bool(_FORWARDS.search(subject[:_SHORT]))
