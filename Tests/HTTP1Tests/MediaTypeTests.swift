import HTTP1
import Testing

struct MediaTypeTests {
    private func read(_ text: String) -> MediaType? { MediaType(text.utf8.span) }

    @Test(arguments: [
        ("text/html", "text/html", []), ("Text/HTML", "text/html", []), ("a/b;", "a/b", []), ("a/b ;; \t;", "a/b", []),
        ("a/b;c=d", "a/b", [("c", "d")]), ("a/b\t; C=D", "a/b", [("c", "D")]),
        ("a/b;c=d;c=\"e\"", "a/b", [("c", "d"), ("c", "e")]), ("a/b;c=\"\"", "a/b", [("c", "")]),
        ("a/b;c=\"d;e=f\\\"\\g\"; h=i", "a/b", [("c", "d;e=f\"g"), ("h", "i")]),
        ("a!#$%&'*+-.^_`|~9/b", "a!#$%&'*+-.^_`|~9/b", []),
    ])
    func `reads a type and its parameters`(text: String, name: String, parameters: [(String, String)]) throws {
        let type = try #require(read(text))
        #expect(type.name == name)
        #expect(type.parameters.map(\.name) == parameters.map(\.0))
        #expect(type.parameters.map(\.value) == parameters.map(\.1))
    }

    @Test(arguments: [
        "", "a", "a/", "/b", "a /b", "a/ b", " a/b", "a/b/c", "a/b c", "a/b,c/d", "a/b;c", "a/b;c=", "a/b;=d",
        "a/b;c =d",
        "a/b;c= d", "a/b;c=\"", "a/b;c=\"d", "a/b;c=\"\\", "a/b;c=\"\\\"", "a/b;c=\"d\"e", "a/b;c=d e", "a/b;c=d,",
        "ä/b",
    ])
    func `rejects any other form`(text: String) {
        #expect(read(text) == nil)
    }
}
