/// The page's looks and its little behaviour.
enum ReportStyle {
  static let css = """
    :root{color-scheme:light dark;--bg:#fff;--fg:#1c2024;--dim:#5c6670;--line:#d5dae0;--card:#f5f7f9;--hit:#fff0d6;\
    --bad:#b3261e;--warn:#8a5a00;--link:#0b57b0;--a:#2f6fb5;--b:#2e8b57;--c:#b5762f;--d:#8e44ad;--e:#b3261e}
    @media (prefers-color-scheme:dark){:root{--bg:#15181c;--fg:#e3e6ea;--dim:#9aa5b1;--line:#343b44;--card:#1d2127;\
    --hit:#45370f;--bad:#ff8a80;--warn:#f0c060;--link:#8ab8f5;--a:#6aa5e8;--b:#63c58c;--c:#e0a560;--d:#c792ea;--e:#ff8a80}}
    *{box-sizing:border-box}
    body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
    header,main{max-width:1200px;margin:0 auto;padding:0 16px}
    header{padding-top:20px}
    h1{font-size:1.5rem;line-height:1.25;margin:0 0 4px;color:var(--bad);overflow-wrap:anywhere}
    h2{display:inline;font-size:1.1rem}h3{font-size:.95rem;margin:16px 0 6px}
    .cause{margin:0 0 8px;font-weight:600;overflow-wrap:anywhere}
    .facts{display:flex;flex-wrap:wrap;gap:4px 28px;margin:8px 0 14px}
    .facts div{min-width:0}dt{color:var(--dim);font-size:.8rem}dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
    nav{position:sticky;top:0;z-index:2;background:var(--bg);border-block:1px solid var(--line);display:flex;gap:4px;\
    overflow-x:auto;padding:6px max(16px,calc((100% - 1200px)/2 + 16px))}
    nav a{padding:2px 8px;border-radius:6px;white-space:nowrap}
    a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
    :focus-visible{outline:2px solid var(--link);outline-offset:1px}
    .skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;background:var(--bg);padding:6px;z-index:3}
    details{border-bottom:1px solid var(--line);padding:10px 0;scroll-margin-top:44px}
    summary{cursor:pointer}summary>h2{margin-left:4px}
    .count{color:var(--dim);font-weight:400;font-size:.85rem}
    .scroll{overflow:auto;max-height:32rem}.scroll.whole{max-height:none}
    table{border-collapse:collapse;font-size:.86rem;margin:8px 0}
    th{text-align:left;color:var(--dim);font-weight:500;position:sticky;top:0;background:var(--bg)}
    td,th{padding:2px 14px 2px 0;vertical-align:top;white-space:nowrap}
    .wrap td{white-space:normal;overflow-wrap:anywhere}.wrap td:first-child{white-space:nowrap;color:var(--dim)}
    code,pre{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
    pre{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px;overflow:auto;max-height:30rem;margin:8px 0}
    pre .line{display:block}pre.log,pre.code{font-size:12.5px}
    .hit{background:var(--hit);font-weight:600}
    .log{white-space:pre-wrap;overflow-wrap:anywhere}.log .line{line-height:1.4}.log i{color:var(--dim);font-style:normal}
    .l0,.l1,.l2,.l3{color:var(--bad)}.l4{color:var(--warn)}
    .guess{color:var(--dim)}
    .note{color:var(--warn)}
    .tools{display:flex;flex-wrap:wrap;gap:8px;align-items:center;margin:8px 0}
    button,input[type=search]{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:6px;padding:3px 10px}
    button{cursor:pointer}
    canvas{width:100%;height:190px;display:block;background:var(--card);border:1px solid var(--line);border-radius:8px;touch-action:pan-y}
    .marks{max-height:14rem;overflow:auto;margin:8px 0;padding:0;list-style:none;font-size:.83rem}
    .marks li{display:grid;grid-template-columns:9.5rem 5rem 1fr;gap:8px;padding:1px 4px;border-radius:4px}
    .marks li code{overflow-wrap:anywhere}.marks li.here{background:var(--hit)}
    .marks b{font-weight:500;color:var(--dim)}
    @media (max-width:600px){.marks li{grid-template-columns:auto 1fr;gap:0 10px}.marks li code{grid-column:1/3}h1{font-size:1.2rem}}
    @media print{nav,.tools,.skip{display:none}.scroll,pre,.marks{max-height:none}}
    """

  static let script = """
    (function(){
    var search=document.getElementById('log-search'),urgent=document.getElementById('log-urgent');
    function filter(){var t=search.value.toLowerCase();
      document.querySelectorAll('#log-lines .line').forEach(function(l){
        var level=+l.className.match(/l(\\d)/)[1];
        l.hidden=(t&&l.textContent.toLowerCase().indexOf(t)<0)||(urgent.checked&&level>4);
        l.style.display=l.hidden?'none':''})}
    if(search){search.addEventListener('input',filter);urgent.addEventListener('change',filter);
      var box=document.getElementById('log-lines');box.scrollTop=box.scrollHeight}
    document.querySelectorAll('nav a').forEach(function(a){a.addEventListener('click',function(){
      var d=document.querySelector(a.getAttribute('href'));if(d)d.open=true})});
    var source=JSON.parse(document.getElementById('timeline-data').textContent);
    var canvas=document.getElementById('timeline-canvas');
    if(!source||!canvas)return;
    var t=source.timeline,place=source.place,n=t.times.length,from=0,to=1,byTime=document.getElementById('by-time');
    var list=document.getElementById('timeline-marks');
    function timeAt(i){return t.times[Math.max(0,Math.min(n-1,Math.floor(i)))]}
    function x(m){return byTime.checked?(t.time?m.time/t.time:0):(t.instructions?m.instructions/t.instructions:0)}
    function column(i){return byTime.checked?(t.time?t.times[i]/t.time:0):i/n}
    function group(v){return String(v).replace(/\\B(?=(\\d{3})+$)/g,',')}
    function draw(){
      var style=getComputedStyle(document.documentElement),r=window.devicePixelRatio||1;
      var w=canvas.clientWidth,h=canvas.clientHeight;if(!w)return;
      canvas.width=w*r;canvas.height=h*r;var g=canvas.getContext('2d');g.scale(r,r);
      g.font='11px system-ui,sans-serif';
      var colors=['--a','--b','--c','--d','--e'].map(function(c){return style.getPropertyValue(c).trim()});
      var dim=style.getPropertyValue('--dim').trim(),fg=style.getPropertyValue('--fg').trim(),line=style.getPropertyValue('--line').trim();
      var bottom=h-18,rowHeight=bottom/t.rows.length;
      t.rows.forEach(function(row,k){
        var y=k*rowHeight,max=1,i;
        for(i=0;i<n;i++)if(row.counts[i]>max)max=row.counts[i];
        g.fillStyle=colors[k%5];
        for(i=0;i<n;i++){if(!row.counts[i])continue;
          var a=(column(i)-from)/(to-from)*w,b=((i+1<n?column(i+1):1)-from)/(to-from)*w;
          if(b<0||a>w)continue;
          var v=Math.max(2,(rowHeight-16)*Math.log(1+row.counts[i])/Math.log(1+max));
          g.fillRect(a,y+rowHeight-2-v,Math.max(1,b-a),v)}
        g.fillStyle=dim;g.fillText(row.name,4,y+11);
        g.fillStyle=line;g.fillRect(0,y+rowHeight-1,w,1)});
      t.marks.forEach(function(m){if(m.kind==='console'||m.kind==='state'||m.kind==='event')return;
        var a=(x(m)-from)/(to-from)*w;if(a<0||a>w)return;
        g.fillStyle=m.kind==='panic'?style.getPropertyValue('--bad').trim():fg;g.fillRect(a-1,0,m.kind==='panic'?3:1,bottom)});
      g.fillStyle=dim;
      var ticks=w<500?2:4;for(var s=0;s<=ticks;s++){var f=from+(to-from)*s/ticks;
        var label=byTime.checked?(f*t.time/1e9).toFixed(3)+' s':(to-from<1e-4?group(Math.round(f*t.instructions)):group(Math.round(f*t.instructions/1e3))+' k');
        g.textAlign=s===0?'left':s===ticks?'right':'center';g.fillText(label,Math.max(2,Math.min(w-2,s*w/ticks)),h-5)}
      g.textAlign='left';
      var shown=t.marks.filter(function(m){var p=x(m);return p>=from&&p<=to});
      var few=shown.length>300?shown.slice(-300):shown;
      list.textContent='';
      if(shown.length>few.length){var note=document.createElement('li');note.textContent='the last 300 of '+shown.length+'; zoom in for the others';list.appendChild(note)}
      few.forEach(function(m){var li=document.createElement('li');if(m.kind==='panic')li.className='here';
        var a=document.createElement('b');a.textContent=(m.time/1e9).toFixed(6)+' s';
        var b=document.createElement('span');b.textContent=m.kind;var c=document.createElement('code');c.textContent=m.text;
        li.title=group(m.instructions)+' instructions';li.appendChild(a);li.appendChild(b);li.appendChild(c);list.appendChild(li)});
      list.scrollTop=list.scrollHeight}
    function set(a,b){var width=Math.max(1e-6,Math.min(1,b-a));a=Math.max(0,Math.min(1-width,a));from=a;to=a+width;draw()}
    function zoom(kind,at){var width=to-from,c=at===undefined?(from+to)/2:at;
      if(kind==='in')set(c-(c-from)/2,c+(to-c)/2);
      if(kind==='out')set(c-(c-from)*2,c+(to-c)*2);
      if(kind==='left')set(from-width/4,to-width/4);
      if(kind==='right')set(from+width/4,to+width/4);
      if(kind==='all')set(0,1)}
    document.querySelectorAll('[data-zoom]').forEach(function(b){b.addEventListener('click',function(){zoom(b.dataset.zoom)})});
    byTime.addEventListener('change',draw);
    canvas.addEventListener('wheel',function(e){if(!e.ctrlKey&&!e.shiftKey&&document.activeElement!==canvas)return;e.preventDefault();
      var box=canvas.getBoundingClientRect();zoom(e.deltaY<0?'in':'out',from+(to-from)*(e.clientX-box.left)/box.width)},{passive:false});
    canvas.addEventListener('dblclick',function(e){var box=canvas.getBoundingClientRect();
      zoom('in',from+(to-from)*(e.clientX-box.left)/box.width)});
    canvas.addEventListener('keydown',function(e){
      var k={'+':'in','=':'in','-':'out','ArrowLeft':'left','ArrowRight':'right','0':'all','Home':'all'}[e.key];
      if(k){e.preventDefault();zoom(k)}});
    window.addEventListener('resize',draw);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change',draw);
    draw();
    })();
    """
}
