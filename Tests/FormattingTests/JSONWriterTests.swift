import Formatting
import Testing

struct JSONWriterTests {
    private func json(_ write: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        write(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test func `writes each kind of value`() {
        #expect(json { $0.null() } == "null")
        #expect(json { $0.value(true) } == "true")
        #expect(json { $0.value(false) } == "false")
        #expect(json { $0.value(Int64.min) } == "-9223372036854775808")
        #expect(json { $0.value(0) } == "0")
        #expect(json { $0.value(millisecondsOf: 412_345) } == "0.412")
        #expect(json { $0.value("a\"b") } == #""a\"b""#)
        #expect(json { $0.value("") } == #""""#)
        #expect(json { $0.value(String?.none) } == "null")
        #expect(json { $0.value(String?.some("a")) } == #""a""#)
        #expect(json { $0.value(utf8: Array("é\n".utf8).span) } == #""é\n""#)
        #expect(json { $0.value(timestampMicroseconds: -1) } == #""1969-12-31T23:59:59.999999Z""#)
    }

    @Test func `writes commas only between members and elements`() {
        let text = json { json in
            json.beginObject()
            json.key("a")
            json.value(1)
            json.key("b")
            json.beginArray()
            json.endArray()
            json.key("c")
            json.beginArray()
            json.beginObject()
            json.endObject()
            json.beginObject()
            json.key("d")
            json.null()
            json.endObject()
            json.beginArray()
            json.value(true)
            json.value("x")
            json.value(millisecondsOf: 0)
            json.value(utf8: Array("y".utf8).span)
            json.value(timestampMicroseconds: 0)
            json.endArray()
            json.null()
            json.endArray()
            json.key("e")
            json.beginObject()
            json.endObject()
            json.endObject()
        }
        #expect(
            text == """
                {"a":1,"b":[],"c":[{},{"d":null},[true,"x",0.000,"y","1970-01-01T00:00:00.000000Z"],null],"e":{}}
                """)
    }

    @Test func `a value written in place gets its comma`() {
        let text = json { json in
            json.beginArray()
            for number in 1...3 { json.value(upTo: 20) { $0.append(decimal: number) } }
            json.endArray()
        }
        #expect(text == "[1,2,3]")
    }

    @Test func `nests to any depth`() {
        let text = json { json in
            for _ in 0..<1000 { json.beginArray() }
            for _ in 0..<1000 { json.endArray() }
        }
        #expect(text == String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000))
    }

    @Test func `appends to existing bytes`() {
        var writer = JSONWriter(appendingTo: Array("data: ".utf8))
        writer.beginArray()
        writer.value(1)
        writer.value(2)
        writer.endArray()
        #expect(String(decoding: writer.bytes, as: UTF8.self) == "data: [1,2]")
        #expect(JSONWriter(reserving: 100).bytes.isEmpty)
    }
}
