package alert

// What docs/troubleshooting.md says of each code, in few words.
var persianCodes = map[string]string{
	"dial_refused":     "اتصال رد شد",
	"dial_timeout":     "اتصال تایم‌اوت شد",
	"dial_unreachable": "آدرس پروکسی در دسترس نیست",
	"dial_failed":      "اتصال برقرار نشد",
	"dns_failed":       "دامنهٔ پروکسی پیدا نشد",

	"proxy_tls":          "TLS با پروکسی برقرار نشد",
	"proxy_auth":         "نام کاربری یا رمز اشتباه است",
	"proxy_payment":      "اعتبار پروکسی تمام شده",
	"proxy_rate_limited": "پروکسی تعداد درخواست‌ها را محدود کرده",
	"proxy_silent":       "پروکسی اتصال را قبول کرد ولی جواب نداد",
	"proxy_dropped":      "پروکسی قبل از برقراری تونل قطع کرد",
	"proxy_nonsense":     "جوابش شبیه پروکسی نیست",
	"proxy_answer":       "پروکسی صفحهٔ خطای خودش را فرستاد",
	"bad_proxy":          "تنظیمات پروکسی قابل استفاده نیست",
	"tunnel_refused":     "پروکسی اتصال به مقصد را قبول نکرد",
	"loop":               "این پروکسی به خود همین Caddy برمی‌گردد",

	"address_not_allowed": "آدرس مقصد خصوصی است",
	"target_closed":       "مقصد بدون جواب اتصال را بست",
	"bad_target":          "پروکسی این مقصد را پشتیبانی نمی‌کند",
	"target_tls":          "TLS با مقصد برقرار نشد",
	"target_tls_timeout":  "TLS با مقصد تایم‌اوت شد",
	"target_reset":        "اتصال به مقصد ریست شد",

	"conn_reset":     "اتصال ریست شد",
	"conn_closed":    "اتصال بسته شد",
	"conn_timeout":   "طرف مقابل دیگر هیچ پاسخی نمی‌دهد",
	"stream_reset":   "استریم HTTP/2 ریست شد",
	"stream_refused": "مقصد استریم HTTP/2 را قبول نکرد",
	"send_failed":    "ارسال درخواست ناموفق بود",
	"stale":          "اتصال قبلی بسته شده بود",

	"bad_request":              "این درخواست را نمی‌شود فرستاد",
	"request_header_too_large": "هدر درخواست زیادی بزرگ است",
	"malformed_response":       "جواب HTTP معتبری نیامد",
	"header_too_large":         "هدر جواب زیادی بزرگ است",
	"broken_answer":            "جواب نصفه قطع شد",
	"silent":                   "جوابی نیامد و تست مسیر هم جواب نگرفت",
	"response_timeout":         "جواب به‌موقع نرسید",
	"timeout":                  "زیادی طول کشید",

	"blocked":      "جواب با یکی از شرط‌های block مطابقت داشت",
	"overdue":      "دیر وصل شد و پروکسی بعدی جلو افتاد",
	"budget_spent": "سقف بودجهٔ hard پر شده",
	"client_gone":  "برنامه اتصال را قطع کرد",
	"canceled":     "برنامه قبل از رسیدن جواب قطع کرد",
	"no_proxy":     "هیچ پروکسی قابل استفاده‌ای نبود",
	"error":        "خطای دیگری پیش آمد",
}
