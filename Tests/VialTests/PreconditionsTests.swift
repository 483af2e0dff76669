import Formatting
import HTTP1
import HTTPTypes
import Testing

@testable import Vial

struct PreconditionsTests {
    private typealias Condition = Preconditions.Condition

    private func conditions(
        _ fields: [(String, String)], of method: HTTPRequest.Method = .put, isRequired: Bool = false
    ) throws -> Preconditions {
        try Preconditions(Request(method, "/", fields: fields), isRequired: isRequired)
    }

    @Test func `a request without the fields has none`() throws {
        let none = try conditions([("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"), ("If-Range", "\"a\"")])
        #expect(none.isEmpty && none.ifMatch == nil && none.ifNoneMatch == nil)
        #expect(none.verdict(on: EntityTag("a")) == .perform)
    }

    @Test(
        arguments: [
            (["*"], .any), ([" * "], .any), ([""], .tags([])), ([","], .tags([])),
            (["\"a\""], .tags([EntityTag("a")])), (["W/\"a\""], .tags([EntityTag("a", isWeak: true)])),
            (["\"a\",\"b\""], .tags([EntityTag("a"), EntityTag("b")])),
            ([" , \"a\"\t,, \"b\" ,"], .tags([EntityTag("a"), EntityTag("b")])),
            (["\"a\"", "\"b\""], .tags([EntityTag("a"), EntityTag("b")])),
            (["\"a,b\""], .tags([EntityTag("a,b")])), (["\"*\""], .tags([EntityTag("*")])),
        ] as [([String], Preconditions.Condition)])
    func `a field is an asterisk, or a list over all its lines`(lines: [String], expected: Preconditions.Condition)
        throws
    {
        let match = try conditions(lines.map { ("If-Match", $0) })
        #expect(match.ifMatch == expected && match.ifNoneMatch == nil)
        let noneMatch = try conditions(lines.map { ("If-None-Match", $0) })
        #expect(noneMatch.ifNoneMatch == expected && noneMatch.ifMatch == nil)
    }

    @Test(arguments: [
        ["a"], ["\"a"], ["a\""], ["\"a\"b"], ["\"a\" \"b\""], ["*,\"a\""], ["\"a\",*"], ["*", "\"a\""], ["\"a\"", "*"],
        ["*", "*"], ["* *"], ["**"], ["w/\"a\""], ["W/"], ["\"a b\""], ["\"a\";q=1"], ["'a'"],
        ["\""], ["W"], ["W\"a\""], ["W/a"], ["W/\""], ["\"\t\""], ["\"a\", W/"], ["é"],
    ])
    func `another value is refused with 400, naming the field`(lines: [String]) {
        for name in ["If-Match", "If-None-Match"] {
            let error = #expect(throws: HTTPError.self) { try conditions(lines.map { (name, $0) }, of: .get) }
            #expect(error?.status == .badRequest && error?.detail.contains(name) == true)
        }
    }

    @Test(arguments: ["", "a", "W/", "2024-11-01T12:00:00.000000Z", "é", "!#[]^`{|}~", "-gzip", "agzip", "a-gzip-"])
    func `a tag is read as it is written, strong or weak`(text: String) throws {
        for tag in [EntityTag(text), EntityTag(text, isWeak: true)] {
            let field = String(decoding: tag.field, as: UTF8.self)
            for (value, tags) in [(field, [tag]), ("\"x\",\(field)", [EntityTag("x"), tag])] {
                let conditions = try conditions([("If-Match", value), ("If-None-Match", value)])
                #expect(conditions.ifMatch == .tags(tags) && conditions.ifNoneMatch == .tags(tags))
                #expect(conditions.verdict(on: tag) == .fail)
                #expect(try self.conditions([("If-Match", value)]).verdict(on: tag) == (tag.isWeak ? .fail : .perform))
            }
        }
    }

    @Test func `a compressed representation's tag is read as that of its state`() throws {
        let read = try conditions([("If-Match", "\"a-gzip\", W/\"b-gzip\"")])
        #expect(read.ifMatch == .tags([EntityTag("a"), EntityTag("b", isWeak: true)]))
        #expect(read.verdict(on: EntityTag("a")) == .perform && read.verdict(on: EntityTag("b")) == .fail)
        let excluded = try conditions([("If-None-Match", "W/\"a-gzip\"")], of: .get)
        #expect(excluded.verdict(on: EntityTag("a")) == .notModified)
    }

    @Test func `the number of tags is limited, over all lines`() throws {
        let tag = "\"a\","
        let most = EntityTagList.tagLimit
        #expect(throws: Never.self) { try conditions([("If-Match", String(repeating: tag, count: most))]) }
        for lines in [[most + 1], [most, 1], [4 * most]] {
            let fields = lines.map { ("If-Match", String(repeating: tag, count: $0)) }
            let error = #expect(throws: HTTPError.self) { try conditions(fields) }
            #expect(error?.status == .badRequest && error?.detail.contains("more than \(most)") == true)
        }
    }

    @Test func `a write may be required to name the state that it changes`() throws {
        for fields in [[], [("If-None-Match", "*")]] {
            let error = #expect(throws: HTTPError.self) { try conditions(fields, isRequired: true) }
            #expect(error?.status == .preconditionRequired && error?.detail.contains("If-Match") == true)
        }
        #expect(try conditions([("If-Match", "*")], isRequired: true).ifMatch == .any)
    }

    private static let current = EntityTag("now")
    /// Each kind of value, and whether it matches the current tag strongly and weakly.
    private static let values: [(condition: Preconditions.Condition?, strongly: Bool, weakly: Bool)] = [
        (nil, true, false), (.any, true, true), (.tags([]), false, false),
        (.tags([current]), true, true), (.tags([EntityTag("now", isWeak: true)]), false, true),
        (.tags([EntityTag("old")]), false, false), (.tags([EntityTag("old"), current]), true, true),
        (.tags([EntityTag("old", isWeak: true), EntityTag("now", isWeak: true)]), false, true),
    ]

    /// RFC 9110 §13.2.2, steps 1 and 3.
    @Test func `If-Match is decided before If-None-Match, strongly, and If-None-Match weakly`() {
        for match in Self.values {
            for noneMatch in Self.values {
                for isRead in [true, false] {
                    let conditions = Preconditions(
                        ifMatch: match.condition, ifNoneMatch: noneMatch.condition, isRead: isRead)
                    let expected: Preconditions.Verdict =
                        if match.condition != nil && !match.strongly {
                            .fail
                        } else if noneMatch.condition != nil && noneMatch.weakly {
                            isRead ? .notModified : .fail
                        } else {
                            .perform
                        }
                    #expect(conditions.verdict(on: Self.current) == expected, "\(match) \(noneMatch) \(isRead)")
                }
            }
        }
    }

    @Test func `a weak tag never satisfies If-Match, except for an asterisk`() {
        let weak = EntityTag("now", isWeak: true)
        for (condition, strongly, weakly) in Self.values {
            let match = Preconditions(ifMatch: condition, ifNoneMatch: nil, isRead: true)
            #expect(
                match.verdict(on: weak) == (condition == nil || condition == .any ? .perform : .fail), "\(strongly)")
            let noneMatch = Preconditions(ifMatch: nil, ifNoneMatch: condition, isRead: true)
            #expect(noneMatch.verdict(on: weak) == (weakly ? .notModified : .perform))
        }
    }

    @Test func `a resource without a tag satisfies nothing but an asterisk in If-Match`() {
        for match in Self.values {
            for noneMatch in Self.values {
                let conditions = Preconditions(
                    ifMatch: match.condition, ifNoneMatch: noneMatch.condition, isRead: false)
                let holds = (match.condition ?? .any) == .any && noneMatch.condition == nil
                var failure: HTTPError?
                do { try conditions.requireNoTags() } catch { failure = error }
                #expect(failure?.status == (holds ? nil : .preconditionFailed))
            }
        }
    }
}

struct ConditionalAnswerTests {
    /// A number, whose JSON has the tag in it or not.
    private struct Numbered: Tagged {
        let number: Int
        let hasTag: Bool
        var entityTag: EntityTag { EntityTag("v\(number)") }
        func write(to json: inout JSONWriter) { json.value("v\(number)") }
        func entityTagRange(inJSON byteCount: Int) -> Range<Int>? { hasTag ? 0..<byteCount : nil }
    }

    private func answer(_ field: (String, String)?, hasTag: Bool, method: HTTPRequest.Method = .get) async throws
        -> Response
    {
        var app = App()
        app.get("/") { request in
            try .json(Numbered(number: 7, hasTag: hasTag), if: try Preconditions(request))
        }
        app.get("/other") { request in
            try .tagged(EntityTag("v7"), if: try Preconditions(request)) { done { text("\"v7\"") } }
        }
        let fields = field.map { [$0] } ?? []
        let response = await app.respond(to: try Request(method, "/", fields: fields))
        let other = await app.respond(to: try Request(method, "/other", fields: fields))
        #expect(response.status == other.status && response.entityTag == other.entityTag)
        #expect(response.body == other.body || response.status != .ok)
        return response
    }

    @Test(arguments: [true, false]) func `a read has its tag, and must be revalidated`(hasTag: Bool) async throws {
        for field in [nil, ("If-None-Match", "\"v6\""), ("If-Match", "\"v7\""), ("If-Match", "*")] {
            let response = try await answer(field, hasTag: hasTag)
            #expect(response.status == .ok && response.text == "\"v7\"" && response.entityTag == "\"v7\"")
            #expect(response.fields.value("Cache-Control") == "no-cache")
            #expect(response.fields.value("Vary") == "Accept-Encoding")
        }
    }

    @Test(arguments: ["*", "\"v7\"", "W/\"v7\"", "\"v6\", \"v7\"", "\"v7-gzip\""])
    func `a client that has the state is answered 304 with the same fields`(value: String) async throws {
        for method in [HTTPRequest.Method.get, .head] {
            let response = try await answer(("If-None-Match", value), hasTag: true, method: method)
            #expect(response.status == .notModified && response.contentType == nil)
            #expect(response.entityTag == "\"v7\"" && response.fields.value("Cache-Control") == "no-cache")
            #expect(response.fields.value("Vary") == "Accept-Encoding")
        }
    }

    @Test func `a read of another state is answered 412`() async throws {
        let response = try await answer(("If-Match", "\"v6\""), hasTag: true)
        #expect(response.status == .preconditionFailed && response.entityTag == nil)
    }

    @Test func `a write's answer has the tag alone`() throws {
        for hasTag in [true, false] {
            let response = try Answer.json(tagged: Numbered(number: 7, hasTag: hasTag), status: .created).response
            #expect(response.status == .created && response.entityTag == "\"v7\"")
            #expect(response.fields.value("Cache-Control") == nil)
        }
    }

    @Test func `a response that is given another body has no tag of the former one`() throws {
        for body in [[], Array("\"longer than the tag\"".utf8)] as [[UInt8]] {
            var response = try Answer.json(tagged: Numbered(number: 7, hasTag: true)).response
            response.body = body
            #expect(response.entityTagRange.isEmpty && response.entityTag == nil)
        }
    }

    @Test func `a tag is not looked for in front of the body`() throws {
        struct Misplaced: Tagged {
            var entityTag: EntityTag { EntityTag("v7") }
            func write(to json: inout JSONWriter) { json.value("v7") }
            func entityTagRange(inJSON byteCount: Int) -> Range<Int>? { -1..<byteCount }
        }
        let response = try Answer.json(tagged: Misplaced()).response
        #expect(response.fields.value("ETag") == "\"v7\"")
    }

    @Test func `a minimal answer says so`() throws {
        let response = try Answer.minimal(status: .created, tag: EntityTag("v7")).response
        #expect(response.status == .created && response.body.isEmpty && response.contentType == nil)
        #expect(response.fields.value("Preference-Applied") == "return=minimal" && response.entityTag == "\"v7\"")
        #expect(try Answer.minimal().response.status == .noContent)
    }
}

extension OverSockets {
    struct EntityTagFieldTests {
        private struct Whole: Tagged {
            var entityTag: EntityTag { EntityTag("v7") }
            func write(to json: inout JSONWriter) { json.value("v7") }
            func entityTagRange(inJSON byteCount: Int) -> Range<Int>? { 0..<byteCount }
        }

        @Test func `a tag in the body is sent as a field, also without the body`() async throws {
            var app = App()
            app.get("/") { request in try .json(Whole(), if: try Preconditions(request)) }
            try await withServer(app) { server in
                let client = try server.connect()
                for (request, status, body) in [
                    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, "\"v7\""),
                    ("GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"v7\"\r\n\r\n", 304, ""),
                ] {
                    try client.send(request)
                    let answer = try client.answer()
                    #expect(answer.status == status && answer.body == body)
                    #expect(answer.head.contains("ETag: \"v7\"\r\n"))
                    #expect(answer.head.contains("Cache-Control: no-cache\r\nVary: Accept-Encoding\r\n"))
                }
            }
        }
    }
}
