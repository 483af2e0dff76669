import Testing

@testable import HTTP1

struct AcceptFieldTests {
    private func weight(of name: String, in text: String) -> Int {
        let bytes = Array(text.utf8)
        return AcceptField(bytes.span).weight(of: name)
    }

    @Test(arguments: [
        "application/json", "APPLICATION/Json", "*/*", "application/*", "text/html, application/json", "text/html,*/*",
        "application/json;charset=utf-8", "application/json ; q=1.000", "text/html;a=\"x,y\\\"\",application/json",
        "application/json;version=1",
    ])
    func `a type that is named, or covered by a wildcard, has the full weight`(text: String) {
        #expect(weight(of: "application/json", in: text) == 1000)
    }

    @Test(arguments: [
        "text/html", "text/*", "application/jsonp", "application/problem+json", "image/png;q=0.5, text/*",
    ])
    func `a type that no element covers is refused`(text: String) {
        #expect(weight(of: "application/json", in: text) == 0)
    }

    @Test(arguments: ["", " ", ",", "*", "json", "*/json", "text", "/", "text/", ";q=0", "a b/c"])
    func `without a valid element every type is taken`(text: String) {
        #expect(weight(of: "application/json", in: text) == 1000)
    }

    @Test(arguments: [
        ("application/json;q=0, */*", 0), ("*/*;q=0, application/json", 1000), ("application/*;q=0.2, */*;q=0.9", 200),
        ("*/*, application/*;q=0.0", 0), ("application/json;q=0;a=b, application/json", 1000),
    ])
    func `the most specific element decides`(text: String, expected: Int) {
        #expect(weight(of: "application/json", in: text) == expected)
    }

    @Test(arguments: [
        ("0", 0), ("0.", 0), ("0.000", 0), ("0.001", 1), ("0.5", 500), ("0.25", 250), ("1", 1000), ("1.000", 1000),
        // No weights of RFC 9110 §12.4.2: they refuse nothing.
        ("1.5", 1000), (".2", 1000), ("2", 1000), ("0.0000", 1000), ("-1", 1000), ("x", 1000), ("0,5", 0), ("00", 1000),
    ])
    func `a weight has at most three digits behind its point`(text: String, expected: Int) {
        #expect(weight(of: "text/html", in: "text/html;q=\(text)") == expected)
    }

    // Sent by Java's HttpURLConnection.
    @Test func `elements of old clients refuse nothing`() {
        let text = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"
        #expect(weight(of: "application/json", in: text) == 1000)
    }
}
