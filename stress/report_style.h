#pragma once

namespace atalaya::stress {

// The report's whole style sheet: light and dark, paper, and narrow screens.
inline constexpr char kReportStyle[] = R"css(
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#5a6577;--line:#dfe3ea;
--s0:#1d5fd0;--s1:#c2570c;--s2:#0f7f6c;--s3:#7c8797;--good:#12733c;--warn:#8f5a00;--bad:#b3261e;--band:#b3261e1f;--alert:#d98a00}
@media (prefers-color-scheme:dark){:root{--page:#10141b;--card:#181e28;--ink:#e6eaf1;--soft:#9aa6b8;--line:#2b3442;
--s0:#6ea8ff;--s1:#ff9d5c;--s2:#4fd1b5;--s3:#7f8b9d;--good:#58d08a;--warn:#f0bb55;--bad:#ff8a80;--band:#ff8a8026;--alert:#f0bb55}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1120px;margin:0 auto;padding:20px 16px 48px}
h1{font-size:1.3rem;line-height:1.3;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:0 0 10px}
h3{font-size:.92rem;margin:14px 0 4px}
p{margin:6px 0}
.soft,caption{color:var(--soft);font-size:.87rem}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px;margin:14px 0}
.verdict{border-left:6px solid var(--tone)}
.verdict.valid,.valid,.met{--tone:var(--good)}
.verdict.degraded,.degraded{--tone:var(--warn)}
.verdict.invalid,.invalid,.failed,.missed,.worse{--tone:var(--bad)}
.badge{display:inline-block;color:var(--tone);border:1.5px solid var(--tone);border-radius:6px;padding:0 8px;margin:0 6px 4px 0;
font-weight:650;letter-spacing:.03em;font-size:.85rem}
.sentence{font-size:1.1rem;margin:8px 0}
ul{margin:8px 0 0;padding-left:20px;color:var(--soft);font-size:.92rem}
.reason{color:var(--tone)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(118px,1fr));gap:10px;margin:14px 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 12px}
.tile b{display:block;font-size:1.2rem;font-variant-numeric:tabular-nums;font-weight:650}
.tile span{display:block;color:var(--soft);font-size:.82rem;line-height:1.35}
.pairs{display:grid;grid-template-columns:1fr 1fr;gap:0 14px;align-items:start}.pairs>section{min-width:0}
.scroll{overflow-x:auto}.scroll table{white-space:nowrap}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;padding-bottom:4px}
th,td{padding:5px 10px 5px 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;font-weight:400}
tr:last-child>*{border-bottom:0}
thead th{color:var(--soft);font-size:.82rem}
.num{text-align:right;white-space:nowrap}
.facts th{color:var(--soft);white-space:nowrap;width:1%}
.facts td,.wrap{overflow-wrap:anywhere}
.result{color:var(--tone);font-weight:600;white-space:nowrap}
pre{background:var(--page);border:1px solid var(--line);border-radius:6px;padding:8px 10px;margin:6px 0 0;font-size:.84rem;
white-space:pre-wrap;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto;font:12px system-ui,sans-serif}
svg text{fill:var(--soft)}
.narrow{display:none}
.grid{stroke:var(--line);stroke-width:1}
.axis{stroke:var(--soft);fill:none}
.band{fill:var(--band)}.alert{fill:var(--alert)}.mark{stroke:var(--soft);stroke-dasharray:3 3;fill:none}
.area{stroke:none;opacity:.16}.area.s0{fill:var(--s0)}.area.s1{fill:var(--s1)}.area.s2{fill:var(--s2)}.area.s3{fill:var(--s3)}
.line{fill:none;stroke-width:2;stroke-linejoin:round}
.s0{stroke:var(--s0)}.s1{stroke:var(--s1)}.s2{stroke:var(--s2)}.s3{stroke:var(--s3);stroke-dasharray:5 4}
.dot.s0{fill:var(--s0)}.dot.s1{fill:var(--s1)}.dot.s2{fill:var(--s2)}.dot.s3{fill:var(--s3)}
.key{font-size:.85rem;color:var(--soft);margin:0 0 2px}
.key i{display:inline-block;width:18px;border-top:3px solid;vertical-align:middle;margin:0 5px 0 0}
.key span{margin-right:14px;white-space:nowrap}.key .unit{float:right;margin:0}
code{font-size:.92em;overflow-wrap:anywhere}.data{max-height:420px;overflow:auto;white-space:pre}
.words td{overflow-wrap:anywhere}.words th{font-weight:550}.words thead th{font-weight:400}
.k0{border-color:var(--s0)!important}.k1{border-color:var(--s1)!important}.k2{border-color:var(--s2)!important}
.k3{border-color:var(--s3)!important;border-top-style:dashed!important}
details{margin-top:10px}
summary{cursor:pointer;color:var(--s0);font-size:.9rem}
@media (max-width:640px){.wide{display:none}.narrow{display:block}.pairs{grid-template-columns:1fr}
.words thead{display:none}.words tr{display:block;border-bottom:1px solid var(--line);padding:6px 0}
.words tr:last-child{border-bottom:0}.words th,.words td{display:block;border:0;padding:1px 0}.words th{font-weight:600}
.words td:not(.result):not(:empty)::before{content:attr(data-name) ": ";color:var(--soft)}.words td:empty{display:none}
.key span{white-space:normal}.key .unit{float:none}.facts th{white-space:normal;width:34%}
section{padding:12px;border-radius:8px}main{padding:14px 10px 32px}th,td{padding-right:8px}}
@media print{:root{--page:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#ccc;--s0:#1d5fd0;--s1:#c2570c;--s2:#0f7f6c;--s3:#7c8797;
--good:#12733c;--warn:#8f5a00;--bad:#b3261e;--band:#b3261e1f;--alert:#d98a00}section,.tile{break-inside:avoid}main{max-width:none;padding:0}
.wide{display:block}.narrow{display:none}summary{display:none}}
)css";

}  // namespace atalaya::stress
