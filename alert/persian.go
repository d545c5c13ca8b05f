package alert

import "golang.org/x/text/language"

// Latin words in a phrase are isolated when it is said. A pool is spoken of as
// one word, so that its name does not come before "pool".
const persianPool = isolateStart + "pool {pool}" + isolateEnd

// As it is spoken among engineers: short, and with their words.
var persian = words{
	tag:         language.Persian,
	rightToLeft: true,
	comma:       "، ",
	arrow:       " ← ",

	labels: labels{
		pool: "pool", status: "وضعیت", now: "الان", reason: "علت", kind: "نوع", cost: "هزینه", uptime: "آپ‌تایم",
		traffic: "ترافیک", used: "مصرف", ends: "پایان دوره", saved: "صرفه‌جویی", requests: "تلاش‌ها", budget: "بودجه",
	},

	changes: changeWords{
		is: map[string]string{
			"down":     "پروکسی {proxy} از کار افتاد",
			"blocked":  "پروکسی {proxy} بلاک شد",
			"degraded": "پروکسی {proxy} کند شد",
			"healthy":  "پروکسی {proxy} دوباره سالم شد",
		},
		became:       "پروکسی {proxy} الان {status} است",
		after:        "{duration} سالم نبود.",
		times:        plural{"یک بار عوض شده", "{n} بار عوض شده"},
		many:         "وضعیت {n} پروکسی در " + persianPool + " عوض شد",
		more:         plural{"و یکی دیگر", "و {n} تای دیگر"},
		flapping:     "وضعیت پروکسی {proxy} مدام عوض می‌شود",
		flappingMany: "وضعیت {n} پروکسی در " + persianPool + " مدام عوض می‌شود",
		often:        "در {duration} {times}",
		burst:        "وضعیت خیلی از پروکسی‌های " + persianPool + " دارد عوض می‌شود",
		burstNote:    "وقتی تمام شد، جمع‌بندی فرستاده می‌شود.",
		burstOver:    "تغییر وضعیت پروکسی‌های " + persianPool + " تمام شد",
		took:         "{duration} طول کشید.",
		switched:     "⚡ ترافیک به‌طور خودکار رفت روی: {proxy}",
		carrier:      "ترافیک الان از این پروکسی می‌رود: {proxy}",
	},

	pools: poolWords{
		down:            "در " + persianPool + " هیچ پروکسی قابل استفاده‌ای نمانده",
		downMany:        "در {n} pool هیچ پروکسی قابل استفاده‌ای نمانده",
		downNote:        "لطفاً فوراً بررسی کنید. تا وقتی یکی برگردد، درخواست‌ها 503 می‌گیرند.",
		up:              persianPool + " دوباره پروکسی قابل استفاده دارد",
		upMany:          "{n} pool دوباره پروکسی قابل استفاده دارند",
		upAfter:         "{duration} هیچ پروکسی قابل استفاده‌ای نداشت.",
		none:            "⛔ در " + persianPool + " هیچ پروکسی قابل استفاده‌ای نمانده.",
		unreachable:     "{target} از " + persianPool + " در دسترس نیست",
		unreachableMany: "{n} مقصد از " + persianPool + " در دسترس نیستند",
		unreachableNote: "از هیچ‌کدام از پروکسی‌ها جوابی نمی‌آید. احتمالاً مشکل از خود مقصد است، پس هیچ پروکسی‌ای down نمی‌شود.",
		reachable:       "{target} دوباره از " + persianPool + " در دسترس است",
		reachableMany:   "{n} مقصد دوباره از " + persianPool + " در دسترس‌اند",
		reachableAfter:  "قطعی {duration} طول کشید.",
		checksFailing:   "بررسی سلامت در " + persianPool + " از هیچ پروکسی‌ای جواب نمی‌گیرد",
		checksNote:      "ترافیک برقرار است، پس مشکل از پروکسی‌ها نیست. آدرس‌های بررسی (url در health_check) را نگاه کنید.",
		checksPassing:   "بررسی سلامت در " + persianPool + " دوباره جواب می‌گیرد",
		checksAfter:     "{duration} جواب نمی‌گرفت.",
	},

	budgets: budgetWords{
		traffic:     "مصرف پروکسی {proxy} از {amount} گذشت",
		trafficNote: "لطفاً بررسی کنید.",
		nearly:      "{percent} بودجهٔ پروکسی {proxy} مصرف شد",
		spent:       "سقف بودجهٔ پروکسی {proxy} پر شد",
		used:        "{amount} از {limit}",
		per:         map[string]string{"day": "امروز", "month": "این ماه", "total": "از ابتدا"},
		limit: map[string]string{
			"day": "{limit} در روز", "month": "{limit} در ماه", "total": "{limit} در کل",
		},
		hardNearly:      "اگر سقف پر شود، تا {time} از این پروکسی استفاده نمی‌شود، مگر سقف را بالا ببرید.",
		hardNearlyTotal: "اگر سقف پر شود، تا وقتی آن را بالا نبرید از این پروکسی استفاده نمی‌شود.",
		softNearly:      "این سقف hard نیست: اگر پر شود هم از این پروکسی استفاده می‌شود.",
		hardSpent:       "تا {time} از این پروکسی استفاده نمی‌شود، مگر سقف را بالا ببرید.",
		hardSpentTotal:  "تا وقتی سقف را بالا نبرید از این پروکسی استفاده نمی‌شود.",
		softSpent:       "این سقف hard نیست: همچنان از این پروکسی استفاده می‌شود.",
	},

	reports: reportWords{
		title: "گزارش روزانهٔ پروکسی‌ها",
		span:  "{from} تا {to}",
		counts: map[string]string{
			"healthy": "سالم (healthy)", "degraded": "کند (degraded)", "down": "از کار افتاده (down)",
			"blocked": "بلاک‌شده (blocked)", "disabled": "غیرفعال (disabled)",
		},
		failed:   plural{"{n} ناموفق", "{n} ناموفق"},
		top:      "🏆 بهترین عملکرد",
		uptime:   "آپ‌تایم {percent}",
		saved:    "{money} صرفه‌جویی",
		test:     "پیام آزمایشی",
		testNote: "هشدارها به اینجا می‌رسند.",
		unknown:  "هشداری که این نسخه نمی‌شناسد: {kind}",
		requests: plural{"{n} تلاش", "{n} تلاش"},
		statusOf: "{n} {status}",
	},

	console: consoleWords{
		title:      "وضعیت پروکسی‌ها",
		noPools:    "هیچ pool تعریف نشده.",
		noProxies:  "هیچ پروکسی‌ای ندارد.",
		usage:      "مصرف",
		noUsage:    "این ماه مصرفی نبوده.",
		period:     map[string]string{"day": "امروز", "month": "این ماه"},
		checked:    "همهٔ پروکسی‌ها بررسی شدند",
		explain:    "{target} از " + persianPool,
		until:      "تا {time}",
		nextTry:    "تلاش بعدی {time}",
		moreUsable: "و {n} تای دیگر که {usable} تای آن‌ها قابل استفاده است",
		enabled:    "پروکسی {proxy} فعال شد",
		disabled:   "پروکسی {proxy} غیرفعال شد",
		stays:      "غیرفعال می‌ماند، حتی بعد از ری‌استارت، تا بزنید: {command}",
		help:       "دستورها",
		commands: map[string]string{
			"status":  "وضعیت پروکسی‌های هر pool به ترتیب استفاده",
			"usage":   "ترافیک و هزینهٔ امروز و این ماه",
			"check":   "همین الان همهٔ پروکسی‌ها بررسی شوند",
			"explain": "درخواست به این آدرس از کدام پروکسی‌ها رد می‌شود، و از بقیه چرا نه",
			"enable":  "دوباره از این پروکسی استفاده شود",
			"disable": "دیگر از این پروکسی استفاده نشود",
			"help":    "همین فهرست",
		},
		unknown:   "این دستور را نمی‌شناسم: {command}",
		write:     "این‌طور بنویسید: {command}",
		noProxy:   "پروکسی‌ای به اسم {arg} نداریم.",
		ambiguous: "در چند pool پروکسی‌ای به اسم {arg} هست. اسم pool را هم بنویسید: {id}",
		noTarget:  "{arg} مقصد درستی نیست. host یا host:port یا URL بنویسید.",
		failed:    "انجام نشد: {error}",
	},

	reasons: reasonWords{
		codes: persianCodes,
		sentences: map[string]string{
			"marked down":      "ادمین آن را down کرد",
			"marked healthy":   "ادمین آن را healthy کرد",
			"damping is over":  "چون مدام قطع می‌شد کنار گذاشته شده بود؛ حالا دوباره استفاده می‌شود",
			"disabled":         "غیرفعال",
			"usable":           "قابل استفاده",
			"usable, degraded": "قابل استفاده، ولی کند",
			"well again, but held back because it keeps going down": "سالم شده، ولی چون مدام قطع می‌شود فعلاً کنار گذاشته شده",
		},
		check:      "بررسی سلامت ناموفق بود: {what}",
		answered:   "بررسی سلامت جواب {what} گرفت",
		down:       "از کار افتاده: {what}",
		blockedBy:  "بلاک‌شده از طرف {what}",
		blocking:   "{target} جواب {status} داد",
		failingFor: "به {what} نمی‌رسد",
		spent:      "سقف بودجه‌اش پر شده: {what}",
		slow:       "بررسی‌های آخرش بیش از {what} طول کشید",
	},

	units: unitWords{
		dollars:      "{n} دلار",
		free:         "گیگی ۰ دلار",
		perGigabyte:  "گیگی {money}",
		megabytes:    "{n} مگابایت",
		gigabytes:    "{n} گیگابایت",
		lessThan:     "کمتر از {amount}",
		percent:      "{n}" + rightToLeftMark + "٪", // without the mark the sign goes to the other side after Latin
		milliseconds: "{n} میلی‌ثانیه",
		days:         plural{"{n} روز", "{n} روز"},
		hours:        plural{"{n} ساعت", "{n} ساعت"},
		minutes:      plural{"{n} دقیقه", "{n} دقیقه"},
		seconds:      plural{"{n} ثانیه", "{n} ثانیه"},
		and:          " و ",
		date:         "{day} {month} {year} ساعت {clock}",
		months: [12]string{
			"ژانویه", "فوریه", "مارس", "آوریل", "مه", "ژوئن",
			"ژوئیه", "اوت", "سپتامبر", "اکتبر", "نوامبر", "دسامبر",
		},
	},
}
