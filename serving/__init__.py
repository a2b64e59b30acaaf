"""The model server: one engine that knows no transport, the protocols on the wire, and HTTP in front.

Loads ONNX from verified bytes and nothing else; needs numpy, onnxruntime, orjson and uvicorn.
"""
