import Platform
import Reactor
import Testing

@testable import Vial

struct CommonFieldsTests {
    @Test func `are the server's name, nosniff and the current IMF-fixdate`() throws {
        var fields = CommonFields(server: "orders")
        let now = Instant.now
        let bytes = fields.bytes(at: now)
        let start = "Server: orders\r\nX-Content-Type-Options: nosniff\r\nDate: "
        let text = String(decoding: bytes, as: UTF8.self)
        let date = /[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT/
        #expect(text.hasPrefix(start))
        #expect(try date.wholeMatch(in: text.dropFirst(start.count)) != nil)
        #expect(fields.bytes(at: now) == bytes)
        #expect(fields.bytes(at: now + .seconds(1)) != bytes)
        #expect(fields.bytes(at: now + .seconds(86_400)).count == bytes.count)
    }

    @Test(arguments: ["", "a b", "a\r\nX: y", "ä"])
    func `trap on an invalid server name`(name: String) async {
        await #expect(processExitsWith: .failure) { [name] in _ = CommonFields(server: name) }
    }
}
