"""Pages become lines as a reader sees them; what is quoted is told by the page's structure; nothing visible is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.intake.markup import html_lines, may_quote
from daemon.intake.prose import read_prose


def seen(page: str) -> str:
    return "\n".join(line.text for line in html_lines(page)).strip()


def own(page: str) -> str:
    return "\n".join(line.text for line in html_lines(page) if not line.quoted and line.text)


def quoted(page: str) -> str:
    return "\n".join(line.text for line in html_lines(page) if line.quoted and line.text)


class TestWhatIsSeen:
    @pytest.mark.parametrize(
        ("page", "text"),
        [
            ("<ol><li>one<li>two</ol>", "1. one\n2. two"),
            ("<ol start=3><li>c</li><li value=7>g</li><li>h</li></ol>", "3. c\n7. g\n8. h"),
            ("<ol><li>one<ul><li>inner</ul><li>two</ol>", "1. one\n\n- inner\n\n2. two"),
            ("<ol start=abc><li>one</ol>", "1. one"),
            ("<ol start=99999999999><li>one</ol>", "1. one"),
            ("<ul><li><p>one</p></li><li><div>two</div></li></ul>", "- one\n\n- two"),
            ('<ul style="list-style: none"><li>menu</ul>', "menu"),
            ("<select><option>a<option>b</select>", "a\nb"),
        ],
    )
    def test_lists_have_their_marks(self, page: str, text: str) -> None:
        assert seen(page) == text

    @pytest.mark.parametrize(
        ("page", "text"),
        [
            ("<table><tr><td><p>a</p></td><td><p>b</p></td></tr><tr><td><p>c</p></td></tr></table>", "a b\nc"),
            ("<table><tr><th>a</th>\n<th>b</th></tr>\n<tr><td>c</td>\n<td></td><td>d</td></tr></table>", "a b\nc d"),
            ("<table><tr><td><div>a</div></td><td><div>b</div><div>b2</div></td><td>c</td></tr></table>", "a b\nb2\nc"),
            ("<table><tr><td><table><tr><td>a<td>b</table><td>c</table>", "a b\n\nc"),
            ("a<hr>b", "a\nb"),
        ],
    )
    def test_tables_have_their_rows(self, page: str, text: str) -> None:
        assert seen(page) == text

    @pytest.mark.parametrize(
        ("page", "text"),
        [
            ('<p style="margin:0">a</p><p style="margin: 0cm 0cm 0pt">b</p>', "a\nb"),
            ('<p style="margin-top:0;margin-bottom:.0001pt">a</p><p style="margin:0">b</p>', "a\nb"),
            ("<style>P {margin-top:0;margin-bottom:0;}</style><p>a</p><p>b</p>", "a\nb"),
            (
                "<style><!--\n/* Style */\np.MsoNormal, div.MsoNormal\n\t{margin:0cm;}\n--></style>"
                "<p class=MsoNormal>a</p><p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>b</p><p>c</p>",
                "a\n\nb\n\nc",
            ),
            ("<style>td p {margin:0}</style><p>a</p><p>b</p>", "a\n\nb"),
            ("<p style='margin:0 0 14px'>a</p><p style='margin:0 0 14px'>b</p>", "a\n\nb"),
            ("<div>a</div><div>&nbsp;</div><div>b</div>", "a\n\nb"),
            ("<div>a</div><div></div><div>b</div>", "a\nb"),
            ("a</br>b", "a\nb"),
        ],
    )
    def test_paragraphs_have_their_space(self, page: str, text: str) -> None:
        assert seen(page) == text

    @pytest.mark.parametrize(
        ("page", "text"),
        [
            ("<pre>a\n  b</pre>c", "a\n  b\n\nc"),
            ('<div style="white-space: pre-wrap">a\n  b</div>c', "a\n  b\nc"),
            ('<pre style="white-space:normal">a\n  b</pre>', "a\n  b"),
            ("<p>a\n  b</p>", "a b"),
        ],
    )
    def test_line_ends_of_the_source_count_only_where_the_page_says_so(self, page: str, text: str) -> None:
        assert seen(page) == text

    @pytest.mark.parametrize(
        ("page", "text"),
        [
            ("<!--[if mso]>for Word<![endif]--><!--[if !mso]><!-->for all<!--<![endif]-->", "for all"),
            ("<![if !supportLists]>1.&nbsp;<![endif]>item", "1. item"),
            ("<![CDATA[ x ]]>y", "y"),
            ("<html><body>one</body></html><html><body>two</body></html>", "one\ntwo"),
            ("<html><head><meta charset=x><body>no end of the head", "no end of the head"),
            ("<p>a</p></div></td></table></b><p>b</p>", "a\n\nb"),
            ("<p class='a' class=\"b\" =x style>a</p>", "a"),
            ("a < b and c > d", "a < b and c > d"),
            ("<iframe>no frames</iframe><object>no object</object>seen", "seen"),
            ('<a href="https://x.example/">the link</a>', "the link"),
            ("5 &gt; 4 &eacute; &#24037; &hellip; &unknown;", "5 > 4 é 工 … &unknown;"),
        ],
    )
    def test_pages_as_they_come(self, page: str, text: str) -> None:
        assert seen(page) == text

    @pytest.mark.parametrize("page", ['<p style="a>hello</p> <b>there</b>', "<b>hello</b there", "<!-- hello there"])
    def test_a_tag_that_never_ends_does_not_swallow_the_mail(self, page: str) -> None:
        assert "hello" in seen(page)


class TestWhatIsHidden:
    @pytest.mark.parametrize(
        "hidden",
        [
            '<div style="display: none !important">no</div>',
            '<div style="display:none;max-height:0;overflow:hidden">no</div>',
            '<div style="max-height:0px;overflow:hidden">no</div>',
            '<div style="height:0;OVERFLOW:HIDDEN">no</div>',
            '<span style="opacity:0">no</span>',
            '<span style="visibility:hidden">no</span>',
            '<span style="font-size:1px">no</span>',
            '<span style="font-size: 0.5px;line-height:0">no</span>',
            '<p style="color:#fff">no</p>',
            '<font color="white">no</font>',
            '<td bgcolor="#336699"><span style="color:rgb(51, 102, 153)">no</span></td>',
            '<div style="background:#EEE"><b style="color:#eeeeee">no</b></div>',
            "<p hidden>no</p>",
            '<div style="display:none"><span style="display:block;font-size:14px">no</span></div>',
        ],
    )
    def test_what_nobody_sees_is_not_said(self, hidden: str) -> None:
        assert seen(f"<p>yes</p>{hidden}<p>and yes</p>").replace("\n", " ").split() == ["yes", "and", "yes"]

    @pytest.mark.parametrize(
        "shown",
        [
            '<td style="font-size:0"><span style="font-size:14px">this</span></td>',
            '<div style="font-size:1px"><font style="font-size:medium">this</font></div>',
            '<td bgcolor="#036"><font color="white">this</font></td>',
            '<div style="background:url(x.png)"><b style="color:#fff">this</b></div>',
            '<div style="background-image:linear-gradient(red,blue);background:linear-gradient(red,blue)">'
            '<b style="color:white">this</b></div>',
            '<div style="color:#fff"><span style="color:#000">this</span></div>',
            '<a style="mso-hide:all">this</a>',
            '<div style="max-height:0">this</div>',
            '<div style="opacity:0.8">this</div>',
            '<div style="overflow:hidden;height:20px">this</div>',
            '<b style="font-size:0.9em">this</b>',
            '<font color="white"><a href="https://x.example/">this</a></font>',
            '<font color="white"><table><tr><td></font><p style="color:#000">this</p></table>',
        ],
    )
    def test_what_is_seen_is_said(self, shown: str) -> None:
        assert "this" in seen(f"<p>yes</p>{shown}")

    def test_a_style_sheet_may_paint_the_ground(self) -> None:
        sheet = "<style>.head { background: #036 }</style>"
        assert seen(f'{sheet}yes<p class=head style="color:#fff">this</p>') == "yes\n\nthis"

    def test_hidden_text_is_kept_where_nothing_else_is(self) -> None:
        assert seen('<div style="display:none"><p>all of it</p></div>') == "all of it"
        assert seen('<font color="#ffffff">written in the dark</font>') == "written in the dark"
        page = '<p style="color:white">new words</p><blockquote type="cite">old</blockquote>'
        assert (own(page), quoted(page)) == ("new words", "old")

    def test_what_is_hidden_in_a_quote_does_not_come_to_light(self) -> None:
        page = '<blockquote type="cite">Am 1.2.2026 schrieb A:<p style="display:none">preheader</p>old</blockquote>'
        assert "preheader" not in seen(page)

    def test_scripts_and_styles_are_never_shown(self) -> None:
        assert seen("<style>p{}</style><script>x()</script><title>t</title>") == ""


GMAIL = '<div class="gmail_quote"><div class="gmail_attr">Le lun. 23 nov. 2026, Ann a dit :<br></div>{}</div>'


class TestWhatIsQuoted:
    @pytest.mark.parametrize(
        "quote",
        [
            '<div class="ntes-mailmaster-quote"><div>---- 回复的原邮件 ----</div>old</div>',
            '<blockquote id="ntes-pcmac-quote">old</blockquote>',
            '<blockquote name="replyContent" class="ReferenceQuote">old</blockquote>',
            '<div class="xm_compose_origin_mail_container">old</div>',
            '<div id="original-content">old</div>',
            '<div id="isForwardContent">old</div>',
            '<div class="history-quote-wrapper" id="lark-mail-quote-17">old</div>',
            '<div id="x_x_isReplyContent">old</div>',
            '<div class="x_yahoo_quoted other">old</div>',
            '<div id="yahoo_quoted_123">old</div>',
            '<hr id="zwchr" data-marker="__DIVIDER__"><div>old</div>',
            '<div name="quote" style="border-left:2px solid">old</div>',
            '<div class="zmail_extra">old</div>',
            '<blockquote class="tutanota_quote">old</blockquote>',
            '<blockquote cite="mid:1@x.example">old</blockquote>',
            '<div class="protonmail_quote">old<blockquote class="protonmail_quote" type="cite">old</blockquote></div>',
            '<div id="mail-editor-reference-message-container"><hr>old</div>',
            '<div class="gmail_quote">old<br>old<br>old<br>old<br>old<br>old<blockquote>old</blockquote>old</div>',
            '<p class="moz-cite-prefix">old</p>',
        ],
    )
    def test_clients_mark_what_they_quote(self, quote: str) -> None:
        page = f"<p>new</p>{quote}"
        assert own(page) == "new"
        assert set(quoted(page).split("\n")) <= {"old", "---- 回复的原邮件 ----"} and "old" in quoted(page)
        assert may_quote(page)

    def test_an_answer_within_a_clients_frame_is_kept(self) -> None:
        page = GMAIL.format("<blockquote>first?</blockquote><div>one</div><blockquote>second?</blockquote>two")
        assert own(page) == "one\ntwo"
        assert quoted(page) == "Le lun. 23 nov. 2026, Ann a dit :\nfirst?\nsecond?"

    def test_a_frame_without_a_quote_is_all_quoted(self) -> None:
        page = f"new{GMAIL.format('forwarded<p>words</p>')}tail"
        assert own(page) == "new\ntail"

    def test_a_frame_that_is_never_closed_ends_with_the_page(self) -> None:
        assert own('new<div class="gmail_quote"><p>old') == "new"

    @pytest.mark.parametrize(
        "attribution",
        [
            "On 2026-11-20 10:11, Ann wrote:",
            "在 2026-11-20 10:11:12，李娜 写道：",
            "23.11.2026, 10:11, Ann &lt;ann@customer.example&gt;:",
            "李娜 &lt;lina@customer.example&gt; 于2026年11月20日周五 10:11写道：",
        ],
    )
    def test_a_bare_blockquote_beneath_an_attribution_is_quoted(self, attribution: str) -> None:
        page = f"<p>new</p><p>{attribution}</p><blockquote>old</blockquote><p>more</p>"
        assert quoted(page) == "old" and own(page).split("\n")[-1] == "more"

    @pytest.mark.parametrize("above", ["<p>He wrote this to us:</p>", "<p>王工写道：</p>", "", "<p>The error is:</p>"])
    def test_a_blockquote_that_nothing_announces_is_the_senders(self, above: str) -> None:
        assert own(f"<p>new</p>{above}<blockquote>an error</blockquote>").endswith("an error")

    def test_a_quote_within_a_quote_ends_with_the_outer_one(self) -> None:
        page = '<blockquote type="cite">a<div id="divRplyFwdMsg">From: x</div>b</blockquote><p>new</p>'
        assert own(page) == "new"

    def test_the_end_of_a_style_does_not_end_a_quote(self) -> None:
        assert own('new<b><blockquote type="cite">old</b>old') == "new"

    def test_a_quote_in_a_cell_ends_with_its_element(self) -> None:
        page = '<table><tr><td>new<div class="yahoo_quoted"><p>old</p></div>more</td></tr></table>'
        assert (own(page), quoted(page)) == ("new\nmore", "old")

    def test_a_wrapper_around_all_is_not_a_quote(self) -> None:
        assert own('<div id="reply-content"><p>all of</p><p>the mail</p></div>') == "all of\nthe mail"
        assert own('<blockquote type="cite">all of the mail</blockquote>') == "all of the mail"

    def test_a_mail_that_only_quotes_stays_quoted(self) -> None:
        page = '<blockquote type="cite">On 23 Nov 2026, Ann wrote:<p>old</p></blockquote>'
        assert (own(page), quoted(page)) == ("", "On 23 Nov 2026, Ann wrote:\nold")

    @pytest.mark.parametrize("width", ["210px", "50px"])
    def test_a_short_ruler_opens_a_signature(self, width: str) -> None:
        page = f'<p>new words</p><hr style="width: {width}; height: 1px;" align="left"><div>王强</div><div>信息部</div>'
        assert read_prose([(None, page)]).words().new == "new words"

    @pytest.mark.parametrize("kind", ['class="ntes-signature"', 'id="ms-outlook-mobile-signature"'])
    def test_a_card_that_the_client_adds_is_not_said(self, kind: str) -> None:
        assert own(f"<p>new</p><div {kind}>Ann<br>ann@customer.example</div>") == "new"


TAGS = st.sampled_from(
    [
        "p",
        "div",
        "b",
        "font",
        "table",
        "tr",
        "td",
        "th",
        "li",
        "ol",
        "ul",
        "br",
        "hr",
        "img",
        "pre",
        "blockquote",
        "span",
        "a",
        "html",
        "head",
        "body",
        "style",
        "script",
        "o:p",
    ]
)
STYLES = st.sampled_from(
    ["", ' style="display:none"', " class=gmail_quote", ' type="cite"', " style='font-size:0'", ' id="appendonsend"']
)
PIECES = st.one_of(
    st.builds("<{}{}>".format, TAGS, STYLES),
    st.builds("</{}>".format, TAGS),
    st.text(alphabet="ab工。 \n&;<>\u00a0", max_size=8),
)


@given(st.lists(PIECES, max_size=40))
def test_any_page_becomes_lines(pieces: list[str]) -> None:
    lines = html_lines("".join(pieces))
    assert all("\n" not in line.text for line in lines)
    assert all(a.text or b.text for a, b in zip(lines, lines[1:], strict=False) if "pre" not in "".join(pieces))


@given(st.lists(PIECES, max_size=40))
def test_a_page_that_may_not_quote_has_no_quote(pieces: list[str]) -> None:
    page = "".join(pieces)
    assert may_quote(page) or not any(line.quoted for line in html_lines(page))


@given(st.lists(st.one_of(STYLES.map("<div{}>".format), st.just("</div>")), max_size=30), st.integers(0, 30))
def test_a_word_is_never_lost(pieces: list[str], place: int) -> None:
    pieces.insert(place, "word")
    assert "word" in seen("".join(pieces))
