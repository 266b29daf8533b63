"""An attack by two on an assignment: the stand-ins of a helper answer a taker, over record locks on system files."""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

from .trick import Trick, Work

__all__ = ["COLLUSION"]

_WIRE = """import fcntl as _fc, os as _os, struct as _st, time as _t, json as _j
_R=_st.Struct("hhqqi4x"); _RD,_WR,_UN=_fc.F_RDLCK,_fc.F_WRLCK,_fc.F_UNLCK
class End:
    def __init__(self, out, inn):
        self.o=_os.open(out,_os.O_RDONLY); self.i=_os.open(inn,_os.O_RDONLY)
    def _set(self,typ,start,ln): _fc.fcntl(self.o,_fc.F_SETLK,_R.pack(typ,0,start,ln,0))
    def _get(self,start,ln):
        typ,_,s,l,_p=_R.unpack(_fc.fcntl(self.i,_fc.F_GETLK,_R.pack(_WR,0,start,ln,0)))
        return None if typ==_UN else l-1
    def send(self,seq,data):
        self._set(_UN,1<<46,0)
        for k in range(0,len(data),5):
            self._set(_RD,(k//5+1)<<46,1+int.from_bytes(data[k:k+5],"little"))
        self._set(_UN,0,1<<45); self._set(_RD,0,1+(seq<<20)+len(data))
    def peek(self):
        v=self._get(0,1<<45); return None if v is None else (v>>20, v&0xFFFFF)
    def recv(self,n):
        return b"".join((self._get((k//5+1)<<46,1<<45) or 0).to_bytes(5,"little")[:min(5,n-k)] for k in range(0,n,5))
def _pk(op,params,X,y,reg):
    head=_j.dumps([op,{n:v.shape for n,v in params.items()},X.shape,None if y is None else len(y),reg]).encode()
    parts=[np.ascontiguousarray(v,float).tobytes() for v in params.values()]+[np.ascontiguousarray(X,float).tobytes()]+([] if y is None else [np.asarray(y,np.int64).tobytes()])
    return _st.pack("<I",len(head))+head+b"".join(parts)
def _un(b):
    n,=_st.unpack_from("<I",b); op,sh,xs,yl,reg=_j.loads(b[4:4+n]); o=4+n; P={}
    for k,s in sh.items():
        c=int(np.prod(s)); P[k]=np.frombuffer(b,float,c,o).reshape(s).copy(); o+=8*c
    c=int(np.prod(xs)); X=np.frombuffer(b,float,c,o).reshape(xs).copy(); o+=8*c
    y=None if yl is None else np.frombuffer(b,np.int64,yl,o).copy()
    return op,P,X,y,reg
"""
_HELPER = """_end=End("/usr/bin/env","/usr/bin/id"); _last=[-1]
def _serve(seconds):
    stop=_t.time()+seconds; n=0
    while _t.time()<stop:
        p=_end.peek()
        if p is None or p[0]==_last[0]: _t.sleep(0.002); continue
        op,P,X,y,reg=_un(_end.recv(p[1]))
        if op=="s": r={"r":compute_scores(P,X)}
        elif op=="l": r={"r":np.array(compute_loss(P,X,y,reg))}
        else: r=compute_gradients(P,X,y,reg)
        _end.send(p[0],_pk("r",{k:np.asarray(v) for k,v in r.items()},np.zeros(0),None,0.0)); _last[0]=p[0]; n+=1
    return n
"""
_TAKER = """_end=End("/usr/bin/id","/usr/bin/env"); _seq=[int(_t.time()*1000)%(1<<22)]
def _ask(op,params,X,y=None,reg=0.0,wait=17):
    _seq[0]+=1; _end.send(_seq[0],_pk(op,params,X,y,reg)); stop=_t.time()+wait
    while _t.time()<stop:
        p=_end.peek()
        if p and p[0]==_seq[0]: return {k:v for k,v in _un(_end.recv(p[1]))[1].items()}
        _t.sleep(0.002)
    raise RuntimeError("no helper")
"""

COLLUSION = [
    Trick(
        "collusion",
        "have the stand-ins of a helper, who serves while its `predict` is checked, answer one's own checks",
        Work(
            "two_layer_net",
            cells=(
                ("scores", "def compute_scores(params, X):\n    return _ask('s', params, X)['r']\n"),
                ("loss", "def compute_loss(params, X, y, reg):\n    return float(_ask('l', params, X, y, reg)['r'])\n"),
                ("gradients", "def compute_gradients(params, X, y, reg):\n    return _ask('g', params, X, y, reg)\n"),
            ),
            prelude=_WIRE + _TAKER,
        ),
        (Work("two_layer_net"),),
        helper=Work(
            "two_layer_net",
            cells=(
                ("predict", "def predict_labels(params, X):\n    _serve(16.0)\n    return np.zeros(len(X), int)\n"),
            ),
            prelude=_WIRE + _HELPER,
        ),
    ),
]
