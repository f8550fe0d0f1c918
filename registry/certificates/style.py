"""How the page of a certificate looks; one text, so that the page can allow it by its hash and nothing else."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--ground:#f4f6f7;--card:#fff;--ink:#1b2127;--quiet:#5a646e;--line:#dfe4e8;
--good:#0b7a6b;--bad:#b3261e;--warn:#8a5a00;--on:#fff;--mark:#e9f5f2}
@media (prefers-color-scheme:dark){:root{--ground:#0f1317;--card:#171c21;--ink:#e6eaee;--quiet:#9aa5b0;--line:#2b333b;
--good:#4fc7b4;--bad:#ff8a7a;--warn:#f0c060;--on:#0f1317;--mark:#1b2f2d}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI","DejaVu Sans",sans-serif}
main{max-width:68rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.45rem;line-height:1.25;margin:.6rem 0 .4rem;overflow-wrap:anywhere}
h2{font-size:1.02rem;margin:0 0 .6rem}
p{margin:.3rem 0;overflow-wrap:anywhere}
section,header{background:var(--card);border:1px solid var(--line);border-radius:10px;
padding:1rem 1.15rem;margin:0 0 1rem}
header{border-top:5px solid var(--bad)}
header.good{border-top-color:var(--good)}
.verdict{display:inline-block;background:var(--bad);color:var(--on);border-radius:5px;padding:.1rem .6rem;
font-weight:700;letter-spacing:.06em;text-transform:uppercase;font-size:.8rem}
.good .verdict{background:var(--good)}
.seal{border-left:3px solid var(--warn);padding-left:.7rem;color:var(--quiet);font-size:.9rem}
.seal.intact{border-color:var(--good)}
.seal.broken{border-color:var(--bad);color:var(--bad);font-weight:700;font-size:1rem}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.6rem;margin:1rem 0 0}
dl div{border:1px solid var(--line);border-radius:8px;padding:.5rem .75rem}
dt{color:var(--quiet);font-size:.8rem}
dd{margin:0;font-size:1.25rem;font-weight:600;font-variant-numeric:tabular-nums}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1rem;align-items:start}
.plots section{min-width:0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.32rem .9rem .32rem 0;border-bottom:1px solid var(--line)}
tbody tr:last-child>*{border-bottom:0}
th{font-weight:600}
thead th{color:var(--quiet);font-weight:500;font-size:.8rem;white-space:nowrap}
td,tbody th{overflow-wrap:break-word}
.named tbody th{color:var(--quiet);font-weight:400;width:11rem}
code{overflow-wrap:anywhere;font:.8rem/1.5 ui-monospace,"DejaVu Sans Mono",monospace;color:var(--quiet)}
.num{white-space:nowrap}
.good-row td:last-child{color:var(--good);font-weight:600}
.bad-row td:last-child{color:var(--bad);font-weight:600}
.marked-row>*{background:var(--mark)}
.note{color:var(--quiet);font-size:.85rem;margin:.6rem 0 0}
pre{overflow:auto;max-height:24rem;font:.75rem/1.45 ui-monospace,"DejaVu Sans Mono",monospace;margin:.6rem 0 0}
summary{cursor:pointer}
@media (max-width:40rem){
main{padding:.6rem .6rem 2rem}
thead{display:none}
tr{display:block;padding:.45rem 0;border-bottom:1px solid var(--line)}
tbody tr:last-child{border-bottom:0}
th,td,.named tbody th{display:block;width:auto;border:0;padding:.08rem .3rem;overflow-wrap:anywhere}
.num{white-space:normal}
td[data-label]{display:grid;grid-template-columns:7.5rem minmax(0,1fr);gap:.5rem}
td[data-label]::before{content:attr(data-label);color:var(--quiet);font-weight:400}
}
@media print{body{background:none}section,header{break-inside:avoid}pre{max-height:none;white-space:pre-wrap}}
"""
