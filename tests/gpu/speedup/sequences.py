"""Sequences and graphs: fine-tuning GPT-2, an LSTM, a graph network, and generating text."""

from __future__ import annotations

from program import COMPILED, TF32, Program, Version, code, in_bf16

FUSED_ADAMW = "optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, fused=True)\n"

GPT_CELL = code("""
    for _ in range(6):
        batch = tokens[torch.randint(0, len(tokens), (16,), device='cuda')]
        loss = model(input_ids=batch, labels=batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""")
GPT_FORWARD = "loss = model(input_ids=batch, labels=batch).loss"
GPT2 = Program(
    "GPT-2 fine-tuning",
    setup=code("""
        import torch
        from transformers import GPT2Config, GPT2LMHeadModel
        model = GPT2LMHeadModel(GPT2Config()).cuda()
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)
        tokens = torch.randint(0, 50257, (256, 512), device='cuda')
    """),
    cell=GPT_CELL,
    samples=6 * 16 * 512,
    unit="tokens",
    by_hand=(
        Version("TF32, fused", TF32 + FUSED_ADAMW, GPT_CELL),
        Version("bf16, fused", TF32 + FUSED_ADAMW, in_bf16(GPT_CELL, GPT_FORWARD)),
        Version(
            "bf16, fused, compiled", TF32 + FUSED_ADAMW + COMPILED, in_bf16(GPT_CELL, GPT_FORWARD)
        ),
    ),
)

LSTM_CELL = code("""
    for _ in range(20):
        batch = tokens[torch.randint(0, len(tokens), (64,), device='cuda')]
        loss = torch.nn.functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
""")
LSTM_FORWARD = "loss = torch.nn.functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())"
LSTM = Program(
    "LSTM language model",
    setup=code("""
        import torch
        from torch import nn
        class Lstm(nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding, self.head = nn.Embedding(10_000, 512), nn.Linear(512, 10_000)
                self.lstm = nn.LSTM(512, 512, 2, batch_first=True)
            def forward(self, x):
                return self.head(self.lstm(self.embedding(x))[0])
        model = Lstm().cuda()
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)
        tokens = torch.randint(0, 10_000, (1024, 65), device='cuda')
    """),
    cell=LSTM_CELL,
    samples=20 * 64 * 64,
    unit="tokens",
    by_hand=(
        Version("TF32, fused", TF32 + FUSED_ADAMW, LSTM_CELL),
        Version("bf16, fused", TF32 + FUSED_ADAMW, in_bf16(LSTM_CELL, LSTM_FORWARD)),
    ),
)

GCN_CELL = code("""
    for step, graph in enumerate(loader):
        graph = graph.to('cuda')
        loss = torch.nn.functional.cross_entropy(model(graph.x, graph.edge_index, graph.batch), graph.y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == 9:
            break
""")
GCN_FORWARD = "loss = torch.nn.functional.cross_entropy(model(graph.x, graph.edge_index, graph.batch), graph.y)"
GCN_LOADER = code("""
    loader = DataLoader(graphs, batch_size=128, shuffle=True, num_workers=6, pin_memory=True, persistent_workers=True)
    warm = next(iter(loader))
""")
GCN_ASYNC = GCN_CELL.replace("graph.to('cuda')", "graph.to('cuda', non_blocking=True)")
GCN = Program(
    "GCN on graphs",
    setup=code("""
        import torch
        from torch_geometric.datasets import FakeDataset
        from torch_geometric.loader import DataLoader
        from torch_geometric.nn import GCNConv, global_mean_pool
        graphs = FakeDataset(num_graphs=1280, avg_num_nodes=100, num_channels=64)
        loader = DataLoader(graphs, batch_size=128, shuffle=True)
        class Gcn(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.one, self.two = GCNConv(64, 256), GCNConv(256, 256)
                self.head = torch.nn.Linear(256, graphs.num_classes)
            def forward(self, x, edges, batch):
                hidden = self.two(self.one(x, edges).relu(), edges).relu()
                return self.head(global_mean_pool(hidden, batch))
        model = Gcn().cuda()
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)
    """),
    cell=GCN_CELL,
    samples=1280,
    unit="graphs",
    by_hand=(
        Version("workers, fused", GCN_LOADER + FUSED_ADAMW, GCN_ASYNC),
        Version("workers, fused, bf16", GCN_LOADER + FUSED_ADAMW, in_bf16(GCN_ASYNC, GCN_FORWARD)),
    ),
)

GENERATE_CELL = code("""
    with torch.no_grad():
        texts = model.generate(prompt, max_new_tokens=64, do_sample=False, pad_token_id=50256)
""")
GENERATE = Program(
    "generate()",
    setup=code("""
        import torch
        from transformers import GPT2Config, GPT2LMHeadModel
        model = GPT2LMHeadModel(GPT2Config()).cuda().eval()
        prompt = torch.randint(0, 50257, (4, 64), device='cuda')
    """),
    cell=GENERATE_CELL,
    samples=4 * 64,
    unit="tokens",
    by_hand=(
        Version("bf16 weights", "model = model.to(torch.bfloat16)\n", GENERATE_CELL),
        Version(
            "static cache, compiled",
            "model.generation_config.cache_implementation = 'static'\n"
            "model.forward = torch.compile(model.forward, mode='reduce-overhead', fullgraph=True)\n",
            GENERATE_CELL,
        ),
        Version(
            "bf16 weights, static cache, compiled",
            "model = model.to(torch.bfloat16)\n"
            "model.generation_config.cache_implementation = 'static'\n"
            "model.forward = torch.compile(model.forward, mode='reduce-overhead', fullgraph=True)\n",
            GENERATE_CELL,
        ),
    ),
)

PROGRAMS = (GPT2, LSTM, GCN, GENERATE)
