"""From labelled files to an artifact that `models.classifier` loads (needs the extra `train`).

    labelled/*.csv ─ data ─> rows without leaks ─ train ─> checkpoint-N/ ─ export ─> model.onnx (fp32)
                                                                                       │ quantise
    MODEL_CARD.md, metrics.json <─ card ─ evaluate (the valid files, the shipped file) <┘ model.onnx (int8)

Two commands make the shipped model again, DATA being the folder that holds `labelled/` and ENCODER
the folder of all-MiniLM-L6-v2 (`model.safetensors`, `config.json`, `tokenizer.json`):

    python -m models.training.train  --data DATA --encoder ENCODER --out RUN
    python -m models.training.export --data DATA --run RUN --out models/artifacts/finance-en-minilm-int8

Training takes about half an hour on two cores, exporting and measuring a few minutes. The validation
files decide nothing: epochs and temperatures are chosen on a part of the training files.
"""
