/// The bytes of a request. The path contains the request's number, which identifies its answer.
enum RequestBytes {
    private static let malformed = Array("NOT A REQUEST\r\n\r\n".utf8)
    private static let line = Array(" HTTP/1.1\r\nHost: a\r\n".utf8)
    private static let last = Array("Connection: close\r\n".utf8)
    private static let expectation = Array("Expect: 100-continue\r\n".utf8)
    private static let length = Array("Content-Type: application/json\r\nContent-Length: ".utf8)
    private static let chunked = Array("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)

    static let paths: [(Life.Kind, [UInt8])] = [
        (.root, Array("GET /root/".utf8)), (.find, Array("GET /find/".utf8)), (.list, Array("GET /list/".utf8)),
        (.create, Array("POST /create/".utf8)), (.update, Array("POST /update/".utf8)),
        (.transaction, Array("POST /transaction/".utf8)), (.task, Array("GET /task/".utf8)),
        (.unknown, Array("POST /unknown/".utf8)), (.refused, Array("PATCH /root/".utf8)), (.malformed, malformed),
    ]

    /// Appends a request.
    ///
    /// - Returns: where its head ends.
    @discardableResult
    static func append(_ request: Life.Request, number: Int, to bytes: inout [UInt8]) -> Int {
        guard request.kind != .malformed else {
            bytes.append(contentsOf: malformed)
            return bytes.count
        }
        bytes.append(contentsOf: paths[request.kind.rawValue].1)
        appendDecimal(number, to: &bytes)
        bytes.append(contentsOf: line)
        if request.isLast { bytes.append(contentsOf: last) }
        if request.expectsContinue { bytes.append(contentsOf: expectation) }
        switch request.body {
        case .none:
            bytes.append(contentsOf: [13, 10])
            return bytes.count
        case .length(let count), .unfinished(let count):
            bytes.append(contentsOf: length)
            appendDecimal(count, to: &bytes)
            bytes.append(contentsOf: [13, 10, 13, 10])
            let end = bytes.count
            let isCut = if case .unfinished = request.body { true } else { false }
            bytes.append(contentsOf: repeatElement(0x20, count: isCut ? count - 1 : count))
            return end
        case .tooLarge:
            bytes.append(contentsOf: length)
            appendDecimal(2_000_000, to: &bytes)
            bytes.append(contentsOf: [13, 10, 13, 10])
            let end = bytes.count
            bytes.append(contentsOf: repeatElement(0x20, count: 100))
            return end
        case .chunked(let count):
            bytes.append(contentsOf: chunked)
            let end = bytes.count
            var rest = count
            while rest > 0 {
                let size = min(rest, 4096)
                bytes.append(contentsOf: Array(String(size, radix: 16).utf8))
                bytes.append(contentsOf: [13, 10])
                bytes.append(contentsOf: repeatElement(0x20, count: size))
                bytes.append(contentsOf: [13, 10])
                rest -= size
            }
            bytes.append(contentsOf: [0x30, 13, 10, 13, 10])
            return end
        case .badChunk:
            bytes.append(contentsOf: chunked)
            let end = bytes.count
            bytes.append(contentsOf: Array("1\r\n \r\nxyz\r\n".utf8))
            return end
        }
    }

    private static func appendDecimal(_ number: Int, to bytes: inout [UInt8]) {
        if number >= 10 { appendDecimal(number / 10, to: &bytes) }
        bytes.append(0x30 + UInt8(number % 10))
    }
}
