import HTTP1
import Testing

struct ProtocolErrorTests {
    @Test func `every error has a label, a sentence and a fitting status`() {
        for error in ProtocolError.allCases {
            #expect([400, 413, 414, 417, 431, 501, 505].contains(error.status))
            #expect(
                error.reason.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F })
            #expect(error.detail.hasSuffix(".") && !error.detail.contains("\n"))
        }
        #expect(ProtocolError.repeatedContentLength.reason == "repeated_content_length")
    }

    @Test func `the sentences name the actual limits`() {
        #expect(ProtocolError.requestLineTooLong.detail.contains("\(Limits.requestLineByteLimit)"))
        #expect(ProtocolError.fieldTooLong.detail.contains("\(Limits.fieldLineByteLimit)"))
        #expect(ProtocolError.invalidChunkSize.detail.contains("\(Limits.chunkSizeDigitLimit)"))
    }
}
