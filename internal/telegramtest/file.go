package telegramtest

import (
	"cmp"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
)

// maxFile is what bots may send.
const maxFile = 50 << 20

// sendDocument keeps the file that is in the form, with a message of its name.
func (s *Server) sendDocument(r *http.Request, p parameters) answer {
	name, content := document(r)
	if content == nil {
		return fault(http.StatusBadRequest, "Bad Request: there is no document in the request")
	}
	s.mu.Lock()
	s.files = append(s.files, content)
	id := fmt.Sprintf("file-%d", len(s.files))
	s.mu.Unlock()
	sent := s.sendMessage(parameters{"chat_id": {p.get("chat_id")}, "text": {cmp.Or(p.get("caption"), name)}})
	if result, ok := sent.Result.(map[string]any); ok {
		result["document"] = map[string]any{"file_id": id, "file_unique_id": id, "file_name": name, "file_size": len(content)}
	}
	return sent
}

// document is the first file in a form, whatever its field is called: it may be
// another one that the field "document" names.
func document(r *http.Request) (name string, content []byte) {
	if r.MultipartForm == nil {
		return "", nil
	}
	for _, files := range r.MultipartForm.File {
		for _, header := range files {
			if content, err := contentOf(header); err == nil {
				return header.Filename, content
			}
		}
	}
	return "", nil
}

func contentOf(header *multipart.FileHeader) ([]byte, error) {
	file, err := header.Open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

func (s *Server) getFile(p parameters) answer {
	id := p.get("file_id")
	content, ok := s.file(id)
	if !ok {
		return fault(http.StatusBadRequest, "Bad Request: invalid file_id")
	}
	return answer{OK: true, Result: map[string]any{
		"file_id": id, "file_unique_id": id, "file_size": len(content), "file_path": "documents/" + id,
	}}
}

// file is one that was sent.
func (s *Server) file(id string) (content []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, content := range s.files {
		if id == fmt.Sprintf("file-%d", i+1) {
			return content, true
		}
	}
	return nil, false
}

// download answers for the path of a file, and reports whether it is one.
func (s *Server) download(w http.ResponseWriter, r *http.Request) bool {
	id, ok := strings.CutPrefix(r.URL.Path, "/file/bot"+Token+"/documents/")
	content, known := s.file(id)
	if !ok || !known {
		return false
	}
	_, _ = w.Write(content)
	return true
}
